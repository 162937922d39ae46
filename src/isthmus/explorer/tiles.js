// Small pictures that are stored in one image, tile by tile.

class TileSheet {
  constructor({ uri, columns, width, height, stepX, stepY, rows }) {
    this.width = width;
    this.height = height;
    this._columns = columns;
    this._steps = [stepX, stepY];
    this._numbers = null; // of rows; null: every row has the tile of its number
    if (rows) this._numbers = new Map(Array.from(unpacked(rows), (row, tile) => [row, tile]));
    this._image = new Image();
    this._image.src = uri;
    this.ready = this._image.decode();
  }

  // The number of the tile of a row; undefined if it has none.
  tileOf(row) {
    return this._numbers ? this._numbers.get(row) : row;
  }

  // Draws a tile on a canvas of its own size when the image is there.
  async drawOn(canvas, tile) {
    canvas.width = this.width;
    canvas.height = this.height;
    canvas.dataset.tile = tile;
    await this.ready;
    if (canvas.dataset.tile !== String(tile)) return; // another was asked for meanwhile
    const left = (tile % this._columns) * this._steps[0];
    const top = Math.floor(tile / this._columns) * this._steps[1];
    const size = [this.width, this.height];
    canvas.getContext("2d").drawImage(this._image, left, top, ...size, 0, 0, ...size);
  }
}

// Draws decoded cells, in scaled units, on a canvas with a pixel for each.
function drawPicture(canvas, { height, width, channels, first, low, high }, cells) {
  delete canvas.dataset.tile;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const isColoured = channels === 3 || channels === 4;
  for (let pixel = 0; pixel < width * height; pixel++) {
    const at = first + pixel * channels;
    let sum = 0;
    for (let i = 0; i < channels; i++) sum += cells[at + i];
    for (let part = 0; part < 3; part++) {
      const value = isColoured ? cells[at + part] : sum / channels;
      image.data[4 * pixel + part] = Math.round((255 * (value - low)) / (high - low));
    }
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
