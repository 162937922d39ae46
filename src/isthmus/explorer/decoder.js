// Decoders: a program that runs in the page, or a grid that was decoded beforehand.

class ProgramDecoder {
  isLive = true;

  constructor({ input, result, operators, constants }) {
    this._input = input;
    this._result = result;
    this._operators = operators;
    this._constants = Object.entries(constants).map(([name, { shape, numbers, ...packed }]) => [
      name,
      tensor(shape, numbers ? Float64Array.from(numbers) : unpacked(packed)),
    ]);
  }

  // The cells of a code, in scaled units.
  decode({ code }) {
    const values = new Map(this._constants);
    values.set(this._input, tensor([1, code.length], Float32Array.from(code)));
    for (const { kind, inputs, output, attributes } of this._operators) {
      const given = inputs.map((name) => values.get(name));
      values.set(output, OPERATORS[kind](given, attributes));
    }
    return { cells: values.get(this._result).data };
  }
}

class GridDecoder {
  isLive = false;

  constructor({ side, low, high, tiles, matrix }) {
    this._side = side;
    this._low = low;
    this._high = high;
    this._tiles = tiles ? new TileSheet(tiles) : null;
    this._cells = matrix ? unpacked(matrix) : null;
  }

  get ready() {
    return this._tiles?.ready;
  }

  // What the point of the grid nearest to a place is decoded to: cells in scaled units, or a tile.
  decode({ place }) {
    const [column, row] = [0, 1].map((axis) => {
      const share = (place[axis] - this._low[axis]) / (this._high[axis] - this._low[axis] || 1);
      return Math.min(Math.max(Math.round(share * (this._side - 1)), 0), this._side - 1);
    });
    const number = row * this._side + column;
    if (this._tiles) return { tile: number, sheet: this._tiles };
    const width = this._cells.length / this._side ** 2;
    return { cells: this._cells.subarray(number * width, (number + 1) * width) };
  }
}

const madeDecoder = (config) =>
  config.kind === "program" ? new ProgramDecoder(config) : new GridDecoder(config);

const KNEE = 5; // of robust scaling, in standard deviations
const LARGEST_EXPONENT = 700;

// The value in original units that the decoded cells of a column stand for, as
// TableColumn.from_numbers has it; for a category, its place.
function outputValue(output, cells) {
  const cell = cells[output.first];
  if (output.kind === "boolean") return cell > 0.5 ? 1 : 0;
  if (output.kind === "category") {
    let best = output.first;
    for (let i = output.first + 1; i < output.stop; i++) if (cells[i] > cells[best]) best = i;
    return best - output.first;
  }
  return inDomain(unscaled(cell, output), output);
}

function unscaled(cell, { method, center, scale }) {
  if (method === "none") return cell;
  const size = Math.abs(cell);
  const far = method === "robust" && size > KNEE;
  const wide = far ? Math.sign(cell) * KNEE * Math.exp(Math.min(size / KNEE - 1, LARGEST_EXPONENT)) : cell;
  return wide * scale + center;
}

function inDomain(value, { domain, whole }) {
  const rounded = (at) => (whole ? Math.round(at) : at);
  if (!domain) return rounded(value);
  const clipped = (at) => Math.min(Math.max(at, domain.low), domain.high);
  const inside = clipped(value);
  if (domain.atom && Math.abs(inside - domain.atom[0]) <= domain.atom[1]) return domain.atom[0];
  const { parts } = domain;
  return rounded(parts ? clipped(Math.round(inside * parts) / parts) : inside);
}
