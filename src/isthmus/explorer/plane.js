// The plane of the map: where each row is, and the codes of its places.

const PLACED_BY = 3; // nearest points of a map that give the code of a place, as in plane.py

class Plane {
  constructor(config, codes) {
    this.kind = config.kind;
    this.names = config.names;
    this._config = config;
    this._codes = codes;
    this.x = new Float32Array(codes.rows);
    this.y = new Float32Array(codes.rows);
    const points = config.points ? unpacked(config.points) : null;
    for (let row = 0; row < codes.rows; row++) {
      const place = points ? points.subarray(2 * row, 2 * row + 2) : this.placeOf(codes.of(row));
      this.x[row] = place[0];
      this.y[row] = place[1];
    }
  }

  // Whether a unit is as long on both axes.
  get isIsometric() {
    return this.kind !== "line";
  }

  // Where a code is; null if only those of rows have a place.
  placeOf(code, height = 0) {
    if (this.kind === "map") return null;
    if (this.kind === "line") return [code[0], height];
    if (this.kind === "codes") return [code[0], code[1]];
    const { center, axes } = this._config;
    return axes.map((axis) =>
      axis.reduce((sum, part, i) => sum + part * (code[i] - center[i]), 0)
    );
  }

  // The code of a place.
  codeAt([x, y]) {
    if (this.kind === "line") return Float32Array.of(x);
    if (this.kind === "codes") return Float32Array.of(x, y);
    if (this.kind === "map") return this._mixedCode(x, y);
    const { center, axes } = this._config;
    return Float32Array.from(center, (middle, i) => middle + x * axes[0][i] + y * axes[1][i]);
  }

  _mixedCode(x, y) {
    const squares = new Float64Array(this.x.length);
    for (let row = 0; row < squares.length; row++) {
      squares[row] = (this.x[row] - x) ** 2 + (this.y[row] - y) ** 2;
    }
    const nearest = smallest(squares, PLACED_BY);
    const weights = nearest.map((row) => 1 / (squares[row] + 1e-12));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const code = new Float32Array(this._codes.size);
    nearest.forEach((row, i) => {
      const share = weights[i] / total;
      this._codes.of(row).forEach((value, dimension) => {
        code[dimension] += share * value;
      });
    });
    return code;
  }
}
