// The choice of the column that colours the points, its legend, and filters.
//
// A filter of a category column is the set of the places that are hidden (−1: missing); that of a
// column of numbers is the range [low, high] that is shown.

const GROUP_NAMES = { label: "Label", model: "Model", column: "Columns", code: "Code" };
const MOST_ENTRIES = 60; // of a legend
const RANGE_STEPS = 1000;

class Legend {
  // `changed` is called when the column or a filter has changed.
  constructor(root, columns, changed) {
    this._root = root;
    this._columns = columns;
    this._changed = changed;
    this._filters = new Map();
    this._select = root.querySelector("select");
    this._body = root.querySelector(".legend-body");
    this._clear = root.querySelector("[data-do=clear-filters]");
    this._fillChoices();
    this._select.addEventListener("change", () => this.show());
    this._clear.addEventListener("click", () => {
      this._filters.clear();
      this.show();
    });
  }

  get column() {
    return this._columns[Number(this._select.value)];
  }

  get colours() {
    return this._colours;
  }

  // Whether a row passes all filters.
  isShown(row) {
    for (const [column, filter] of this._filters) {
      const value = column.value(row);
      if (column.isCategory) {
        if (filter.has(Number.isNaN(value) ? -1 : value)) return false;
      } else if (!(value >= filter[0] && value <= filter[1])) return false;
    }
    return true;
  }

  // Draws the legend of the chosen column with the present palette.
  show() {
    this._colours = colouring(this.column, readPalette());
    const body = this.column.isCategory ? this._categories() : this._scale();
    this._body.replaceChildren(...body);
    this._clear.hidden = this._filters.size === 0;
    this._changed();
  }

  _fillChoices() {
    for (const [group, name] of Object.entries(GROUP_NAMES)) {
      const options = this._columns.flatMap((column, place) =>
        column.group === group ? [element("option", { value: place }, column.name)] : []
      );
      if (options.length) this._select.append(element("optgroup", { label: name }, ...options));
    }
  }

  _categories() {
    const { names } = this.column.form;
    const { counts, colourOf } = this._colours;
    const hidden = this._filters.get(this.column) ?? new Set();
    const places = names.map((_, place) => place);
    if (counts.at(-1) > 0) places.push(-1);
    const buttons = places.slice(0, MOST_ENTRIES).map((place) => {
      const spot = element("i");
      spot.style.background = cssColour(colourOf(place < 0 ? NaN : place));
      const amount = counts.at(place).toLocaleString("en");
      const name = element("span", { className: "entry" }, place < 0 ? "missing" : names[place]);
      const button = element(
        "button",
        { type: "button", aria: { pressed: String(!hidden.has(place)) }, data: { place } },
        spot,
        name,
        element("span", { className: "muted" }, amount)
      );
      button.addEventListener("click", () => this._toggle(place));
      return element("li", {}, button);
    });
    const said = [element("ul", { className: "categories" }, ...buttons)];
    const caption =
      places.length > MOST_ENTRIES
        ? `The first ${MOST_ENTRIES} of ${places.length} categories. Click to hide or show.`
        : "Click a category to hide or show it.";
    said.push(element("p", { className: "caption" }, caption));
    return said;
  }

  _toggle(place) {
    const hidden = this._filters.get(this.column) ?? new Set();
    if (!hidden.delete(place)) hidden.add(place);
    if (hidden.size) this._filters.set(this.column, hidden);
    else this._filters.delete(this.column);
    this.show();
    this._body.querySelector(`[data-place="${place}"]`)?.focus();
  }

  _scale() {
    const { low, high } = this._colours;
    const { form } = this.column;
    const ramp = element("span", { className: "shades", aria: { hidden: "true" } });
    const stops = readPalette().shades.map(cssColour).join(", ");
    ramp.style.background = `linear-gradient(to right, ${stops})`;
    const scale = element("div", { className: "scale" }, formText(form, low), ramp, formText(form, high));
    return [scale, this._range()];
  }

  // Two sliders, between which values are shown.
  _range() {
    const { column } = this;
    const [least, most] = column.ends;
    const span = most - least || 1;
    const [from, to] = this._filters.get(column) ?? [least, most];
    const place = (value) => Math.round((RANGE_STEPS * (value - least)) / span);
    const slider = (label, value) =>
      element("input", {
        type: "range",
        min: 0,
        max: RANGE_STEPS,
        value: place(value),
        aria: { label },
      });
    const [lower, upper] = [slider("Show from", from), slider("Show up to", to)];
    const said = element("output", { className: "muted" });
    const value = (input) => {
      const at = Number(input.value);
      return at === RANGE_STEPS ? most : least + (span * at) / RANGE_STEPS;
    };
    const say = () => {
      const ends = [value(lower), value(upper)].map((end) => formText(column.form, end));
      said.textContent = `Shown: ${ends[0]} to ${ends[1]}`;
      lower.setAttribute("aria-valuetext", ends[0]);
      upper.setAttribute("aria-valuetext", ends[1]);
    };
    const change = () => {
      const range = [value(lower), value(upper)];
      if (lower.value === "0" && Number(upper.value) === RANGE_STEPS) this._filters.delete(column);
      else this._filters.set(column, range);
      this._clear.hidden = this._filters.size === 0;
      say();
      this._changed();
    };
    for (const input of [lower, upper]) input.addEventListener("input", change);
    say();
    return element("div", { className: "range" }, lower, upper, said);
  }
}
