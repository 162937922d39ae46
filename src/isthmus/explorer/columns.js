// Columns of the rows: numbers, times, or categories by their places among names.

class Column {
  constructor({ name, group, form, values }) {
    this.name = name;
    this.group = group;
    this.form = form;
    this._raw = unpacked(values);
    this._low = values.low ?? 0;
    this._step = values.step ?? 1;
    this._missing = { u8: 255, u16: 65_535 }[values.type];
    this._ends = null;
  }

  get isCategory() {
    return this.form.kind === "category";
  }

  get length() {
    return this._raw.length;
  }

  // A number, or the place of a category; NaN where it is missing.
  value(row) {
    const raw = this._raw[row];
    return raw === this._missing ? NaN : this._low + raw * this._step;
  }

  text(row) {
    return formText(this.form, this.value(row));
  }

  // The smallest and the largest value.
  get ends() {
    if (this._ends) return this._ends;
    let [low, high] = [Infinity, -Infinity];
    for (let row = 0; row < this.length; row++) {
      const value = this.value(row);
      if (value < low) low = value;
      if (value > high) high = value;
    }
    this._ends = low > high ? [0, 0] : [low, high];
    return this._ends;
  }

  // Quantiles of up to some thousand of the values; colours ignore what is farther out.
  quantiles(...shares) {
    const every = Math.max(1, Math.floor(this.length / 4000));
    const some = [];
    for (let row = 0; row < this.length; row += every) {
      const value = this.value(row);
      if (Number.isFinite(value)) some.push(value);
    }
    some.sort((a, b) => a - b);
    return shares.map((share) => some[Math.round(share * (some.length - 1))] ?? 0);
  }

  // How many rows have each category; the last entry counts the missing ones.
  counts(isIn = () => true) {
    const counts = new Array(this.form.names.length + 1).fill(0);
    for (let row = 0; row < this.length; row++) {
      if (!isIn(row)) continue;
      const value = this.value(row);
      counts[Number.isNaN(value) ? counts.length - 1 : value]++;
    }
    return counts;
  }

  // Number, mean and standard deviation of the values that are not missing.
  moments(isIn = () => true) {
    let [count, mean, squares] = [0, 0, 0];
    for (let row = 0; row < this.length; row++) {
      if (!isIn(row)) continue;
      const value = this.value(row);
      if (!Number.isFinite(value)) continue;
      count++;
      const away = value - mean;
      mean += away / count;
      squares += away * (value - mean);
    }
    return { count, mean: count ? mean : NaN, deviation: count ? Math.sqrt(squares / count) : NaN };
  }
}

// A column of one dimension of the codes.
class CodeColumn extends Column {
  constructor(codes, dimension) {
    const values = { type: "f32", data: "" };
    super({ name: `code ${dimension + 1}`, group: "code", form: { kind: "number" }, values });
    this._codes = codes;
    this._dimension = dimension;
  }

  get length() {
    return this._codes.rows;
  }

  value(row) {
    return this._codes.values[row * this._codes.size + this._dimension];
  }
}

// A value as text, for the form of its column.
function formText(form, value) {
  if (Number.isNaN(value)) return "missing";
  if (form.kind === "category") return form.names[value];
  if (form.kind === "number") return numberText(value);
  const precision = Math.min(form.factor, 1000); // a mean of whole seconds is not shown in less
  return timeText(Math.round((value * form.factor) / precision) * precision, form.shown);
}

// A value as a cell of a CSV file, in full.
function csvCell(form, value) {
  if (Number.isNaN(value)) return "";
  const text = form.kind === "number" ? String(value) : formText(form, value);
  return quotedCell(text);
}

const quotedCell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
