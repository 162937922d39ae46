// What a code is decoded to: a picture, or a row in original units, beside what was measured.

class DecodedPanel {
  constructor(root, { decoder, outputs, picture, thumbnails, columns }) {
    this._decoder = decoder;
    this._outputs = outputs;
    this._picture = picture;
    this._thumbnails = thumbnails;
    this._measured = outputs.map(({ name }) =>
      columns.find((column) => column.group === "column" && column.name === name)
    );
    this._caption = root.querySelector("[data-part=caption]");
    this._original = root.querySelector("figure.original");
    this._canvas = root.querySelector("figure.made canvas");
    this._table = root.querySelector("tbody");
    this._lines = outputs.map(({ name }) => {
      const measured = element("td", { className: "measured" });
      const made = element("data");
      const line = element(
        "tr",
        {},
        element("th", { scope: "row", className: "text name", title: name }, name),
        measured,
        element("td", {}, made)
      );
      return { line, measured, made };
    });
    if (!picture) this._table.append(...this._lines.map(({ line }) => line));
    this._root = root;
  }

  // Shows what `source` ({code, place}) is decoded to, and the row that it is the code of, if any.
  show(source, row, caption) {
    this._caption.textContent = caption;
    this._root.dataset.row = row;
    const made = this._decoder.decode(source);
    if (this._picture) this._showPicture(made, row);
    else this._showRow(made.cells, row);
  }

  _showPicture(made, row) {
    if (made.cells) drawPicture(this._canvas, this._picture, made.cells);
    else made.sheet.drawOn(this._canvas, made.tile);
    const tile = row >= 0 ? this._thumbnails.tileOf(row) : undefined;
    this._original.hidden = tile === undefined;
    if (tile !== undefined) this._thumbnails.drawOn(this._original.querySelector("canvas"), tile);
  }

  _showRow(cells, row) {
    this._root.classList.toggle("with-row", row >= 0);
    this._outputs.forEach((output, i) => {
      const value = outputValue(output, cells);
      const { measured, made } = this._lines[i];
      made.value = value;
      made.textContent = formText(output.form, value);
      measured.textContent = row >= 0 ? this._measured[i]?.text(row) ?? "–" : "";
    });
  }
}
