// Searches: nearest points on the plane, nearest codes, and points within a polygon.

// The places of the `count` smallest values, the smallest first.
function smallest(values, count) {
  const found = [];
  for (let i = 0; i < values.length; i++) {
    if (found.length === count && !(values[i] < values[found[count - 1]])) continue;
    let place = found.length;
    while (place > 0 && values[found[place - 1]] > values[i]) place--;
    found.splice(place, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}

// The rows with the codes nearest to that of a row, and their distances.
function nearestCodes(codes, row, count) {
  const own = codes.of(row);
  const squares = new Float64Array(codes.rows);
  const { size, values } = codes;
  for (let i = 0, at = 0; i < squares.length; i++) {
    let sum = 0;
    for (let j = 0; j < size; j++, at++) sum += (values[at] - own[j]) ** 2;
    squares[i] = sum;
  }
  squares[row] = Infinity;
  return smallest(squares, Math.min(count, codes.rows - 1)).map((other) => ({
    row: other,
    distance: Math.sqrt(squares[other]),
  }));
}

// Points of the plane in cells of a grid, to find the one that is pointed at.
class PointGrid {
  constructor(x, y, side = 256) {
    this._x = x;
    this._y = y;
    this._side = side;
    this.low = [Infinity, Infinity];
    this.high = [-Infinity, -Infinity];
    for (let i = 0; i < x.length; i++) {
      this.low = [Math.min(this.low[0], x[i]), Math.min(this.low[1], y[i])];
      this.high = [Math.max(this.high[0], x[i]), Math.max(this.high[1], y[i])];
    }
    this._starts = new Uint32Array(side * side + 1);
    const cells = Uint32Array.from(x, (_, i) => this._cell(0, x[i]) + side * this._cell(1, y[i]));
    for (const cell of cells) this._starts[cell + 1]++;
    for (let i = 0; i < side * side; i++) this._starts[i + 1] += this._starts[i];
    this._points = new Uint32Array(x.length);
    const next = this._starts.slice();
    cells.forEach((cell, i) => {
      this._points[next[cell]++] = i;
    });
  }

  _cell(axis, value) {
    const share = (value - this.low[axis]) / (this.high[axis] - this.low[axis] || 1);
    return Math.min(Math.max(Math.floor(share * this._side), 0), this._side - 1);
  }

  // The nearest point that `isShown`, within a distance on each axis; −1 if there is none.
  nearest([x, y], [reachX, reachY], isShown) {
    let [best, least] = [-1, 1];
    for (let row = this._cell(1, y - reachY); row <= this._cell(1, y + reachY); row++) {
      const first = this._starts[row * this._side + this._cell(0, x - reachX)];
      const stop = this._starts[row * this._side + this._cell(0, x + reachX) + 1];
      for (let i = first; i < stop; i++) {
        const point = this._points[i];
        const away = ((this._x[point] - x) / reachX) ** 2 + ((this._y[point] - y) / reachY) ** 2;
        if (away <= least && isShown(point)) [best, least] = [point, away];
      }
    }
    return best;
  }
}

// The rows in the order of their ranks, bytes, by counting.
function orderByRank(ranks) {
  const next = new Uint32Array(257);
  for (const rank of ranks) next[rank + 1]++;
  for (let rank = 0; rank < 256; rank++) next[rank + 1] += next[rank];
  const order = new Uint32Array(ranks.length);
  ranks.forEach((rank, row) => {
    order[next[rank]++] = row;
  });
  return order;
}

// Whether a place is within a polygon, by the crossings of a ray to the right.
function isInside([x, y], corners) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [[ax, ay], [bx, by]] = [corners[i], corners[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
