// The selected row: its facts, and the rows with the nearest codes.

const NEIGHBOURS = 8;

class RowPanel {
  // `choose` is called with the row of a neighbour, or of a number that was entered.
  constructor(root, { rows, columns, thumbnails, decoded, choose }) {
    this._rows = rows;
    this._facts = columns.filter(({ group }) => group === "label" || group === "model");
    this._thumbnails = thumbnails;
    this._decoded = decoded;
    this._choose = choose;
    this._title = root.querySelector("[data-part=title]");
    this._list = root.querySelector("dl");
    this._neighbours = root.querySelector(".neighbours");
    this._body = root.querySelector("[data-part=body]");
    const form = root.querySelector("form");
    const input = form.querySelector("input");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const row = rows.find(input.value.trim());
      input.setCustomValidity(row < 0 ? `There is no ${rows.noun} ${input.value} on this page.` : "");
      if (input.reportValidity()) choose(row, true);
    });
    input.addEventListener("input", () => input.setCustomValidity(""));
  }

  show(row, neighbours) {
    this._body.hidden = row < 0;
    this._title.textContent = row < 0 ? `No ${this._rows.noun} is selected.` : this._rows.name(row);
    if (row < 0) return;
    this._list.replaceChildren(
      ...this._facts.map((column) =>
        element("div", {}, element("dt", {}, column.name), element("dd", {}, column.text(row)))
      )
    );
    this._neighbours.replaceChildren(
      ...neighbours.map(({ row: other, distance }) => this._neighbour(other, distance))
    );
  }

  _neighbour(row, distance) {
    const name = element("span", { className: "entry" }, this._rows.name(row));
    const away = element("span", { className: "muted" }, numberText(distance, 3));
    const button = element("button", { type: "button", data: { row } }, name, away);
    if (this._thumbnails) button.prepend(this.picture(row));
    button.addEventListener("click", () => this._choose(row));
    return element("li", {}, button);
  }

  // The picture of a row, or its reconstruction if the page does not have it.
  picture(row) {
    const canvas = element("canvas", { className: "thumbnail" });
    const tile = this._thumbnails.tileOf(row);
    if (tile === undefined) this._decoded(canvas, row);
    else this._thumbnails.drawOn(canvas, tile);
    return canvas;
  }
}
