// The part of the plane that is visible, and its place on the screen. Screens count pixels from
// the upper left corner, planes from below.

const FARTHEST = 0.5; // zoom relative to the whole plane
const CLOSEST = 5000;

class Viewport {
  constructor(low, high, isIsometric) {
    this._low = low;
    this._high = high;
    this._isIsometric = isIsometric;
    this.width = 1;
    this.height = 1;
    this.zoom = 1;
    this.center = [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
  }

  resize(width, height) {
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
  }

  showAll() {
    this.zoom = 1;
    this.center = [0, 1].map((axis) => (this._low[axis] + this._high[axis]) / 2);
  }

  // Pixels of a unit on each axis.
  get scale() {
    const sides = [this.width, this.height];
    const each = [0, 1].map(
      (axis) => (0.92 * sides[axis]) / (this._high[axis] - this._low[axis] || 1)
    );
    const common = Math.min(...each);
    return each.map((own) => this.zoom * (this._isIsometric ? common : own));
  }

  toScreen([x, y]) {
    const [scaleX, scaleY] = this.scale;
    return [
      this.width / 2 + (x - this.center[0]) * scaleX,
      this.height / 2 - (y - this.center[1]) * scaleY,
    ];
  }

  toPlane([left, top]) {
    const [scaleX, scaleY] = this.scale;
    return [
      this.center[0] + (left - this.width / 2) / scaleX,
      this.center[1] - (top - this.height / 2) / scaleY,
    ];
  }

  // Moves the plane by pixels; its center cannot leave the data.
  pan(right, down) {
    const [scaleX, scaleY] = this.scale;
    const moved = [this.center[0] - right / scaleX, this.center[1] + down / scaleY];
    this.center = moved.map((at, axis) =>
      Math.min(Math.max(at, this._low[axis]), this._high[axis])
    );
  }

  // Zooms by a factor; what is at a place of the screen stays there.
  zoomAt(factor, place = [this.width / 2, this.height / 2]) {
    const before = this.toPlane(place);
    this.zoom = Math.min(Math.max(this.zoom * factor, FARTHEST), CLOSEST);
    const after = this.toScreen(before);
    this.pan(place[0] - after[0], place[1] - after[1]);
  }
}
