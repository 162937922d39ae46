// Statistics of the rows within a lasso beside those of all rows, and their numbers as a file.

const MOST_LINES = 40;
const MOST_PICTURES = 24;

class SelectionPanel {
  // The file has all `columns`; statistics are about those that are `shown`.
  constructor(root, { rows, columns, shown, picture }) {
    this._rows = rows;
    this._columns = columns;
    this._shown = shown;
    this._picture = picture;
    this._title = root.querySelector("[data-part=title]");
    this._body = root.querySelector("[data-part=body]");
    this._table = root.querySelector("tbody");
    this._pictures = root.querySelector(".pictures");
    this._download = root.querySelector("[data-do=download]");
    this._download.addEventListener("click", () => this._save());
    this._chosen = [];
    this._everywhere = new Map(); // statistics of all rows, which are computed once
  }

  // Shows the statistics of the rows for which `selection` is 1; null if nothing is selected.
  show(selection) {
    this._body.hidden = !selection;
    this._chosen = selection ? Array.from(selection.keys()).filter((row) => selection[row]) : [];
    this._title.textContent = selection
      ? `${countText(this._chosen.length, this._rows.noun)} selected.`
      : `Draw around ${this._rows.noun}s with the tool Lasso, or select what is in view.`;
    if (!selection) return;
    this._download.disabled = this._chosen.length === 0;
    const isIn = (row) => selection[row] === 1;
    const lines = this._shown.map((column) => this._statistics(column, isIn));
    lines.sort((a, b) => b.difference - a.difference);
    this._table.replaceChildren(...lines.slice(0, MOST_LINES).map(({ line }) => line));
    if (this._picture) {
      const some = this._chosen.slice(0, MOST_PICTURES);
      this._pictures.replaceChildren(...some.map((row) => this._picture(row)));
    }
  }

  _overall(column) {
    if (!this._everywhere.has(column)) {
      this._everywhere.set(column, column.isCategory ? column.counts() : column.moments());
    }
    return this._everywhere.get(column);
  }

  // A line of the table, and how much the selection differs, in standard deviations.
  _statistics(column, isIn) {
    return column.isCategory ? this._ofCategories(column, isIn) : this._ofNumbers(column, isIn);
  }

  _ofNumbers(column, isIn) {
    const [own, all] = [column.moments(isIn), this._overall(column)];
    const difference = (own.mean - all.mean) / all.deviation;
    const sign = difference > 0 ? "+" : "";
    const text = Number.isFinite(difference) ? `${sign}${numberText(difference, 2)} σ` : "–";
    const cells = [own.mean, all.mean].map((mean) =>
      element("data", { value: mean }, formText(column.form, mean))
    );
    return this._line(column, cells, text, Math.abs(difference) || 0);
  }

  _ofCategories(column, isIn) {
    const [own, all] = [column.counts(isIn), this._overall(column)];
    const share = (counts, place) => counts[place] / (counts.reduce((a, b) => a + b, 0) || 1);
    const gains = own.map((_, place) => share(own, place) - share(all, place));
    const most = gains.indexOf(Math.max(...gains));
    const name = column.form.names[most] ?? "missing";
    const cells = [own, all].map((counts) =>
      element("data", { value: share(counts, most) }, percentText(share(counts, most)))
    );
    const odds = share(all, most);
    const difference = gains[most] / (Math.sqrt(odds * (1 - odds)) || 1);
    const points = `+${Math.round(100 * gains[most])} points`;
    return this._line(column, cells, points, difference, name);
  }

  _line(column, [own, all], text, difference, category = "") {
    const name = element("th", { scope: "row", className: "text name", title: column.name });
    name.append(column.name);
    if (category) name.append(element("span", { className: "muted" }, ` = ${category}`));
    const cells = [own, all, text].map((cell) => element("td", {}, cell));
    return { line: element("tr", {}, name, ...cells), difference };
  }

  // The rows with all columns that the page has of them.
  _text() {
    const named = this._rows.hasNames ? ["name"] : [];
    const head = [this._rows.noun, ...named, ...this._columns.map(({ name }) => name)];
    const lines = this._chosen.map((row) => [
      String(this._rows.number(row)),
      ...(named.length ? [quotedCell(this._rows.name(row))] : []),
      ...this._columns.map((column) => csvCell(column.form, column.value(row))),
    ]);
    return [head.map(quotedCell), ...lines].map((line) => `${line.join(",")}\r\n`).join("");
  }

  _save() {
    const address = URL.createObjectURL(new Blob([this._text()], { type: "text/csv" }));
    element("a", { href: address, download: "selection.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
