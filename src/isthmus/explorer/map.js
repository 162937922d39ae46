// The map: a canvas of points, and one above it with what is marked.
//
// `handlers` has: select(row), −1 for none; selectWithin(corners, isPolygon); decode(place);
// hover(row); escape(). Places are those of the plane.

const PICK_REACH = 14; // pixels
const MOST_RATIO = 2;
const SLOW_FRAME = 28; // milliseconds
const FEWEST_DRAWN = 5000; // points, while the map moves
const REST = 200; // milliseconds after which all points are drawn again

class PointMap {
  constructor(root, plane, handlers) {
    this._root = root;
    this._plane = plane;
    this._handlers = handlers;
    this._overlay = root.querySelector(".overlay");
    this._context = this._overlay.getContext("2d");
    this._grid = new PointGrid(plane.x, plane.y);
    this._viewport = new Viewport(this._grid.low, this._grid.high, plane.isIsometric);
    this._points = this._madePoints(root.querySelector(".points"));
    this._tool = "move";
    this._lasso = null;
    this._marks = { selected: -1, neighbours: [], place: null };
    this._hasCrosshair = false;
    this._isUnmarked = true; // whether nothing is drawn on the upper canvas
    this._isShown = () => true;
    this._palette = readPalette();
    this._pace = { every: 1, isMoving: false, drawn: 0 };
    this.redraw = oncePerFrame(() => this._draw());
    this._rest = afterPause(() => {
      this._pace.isMoving = false;
      if (this._pace.every > 1) this.redraw();
    }, REST);
    new Gestures(this._overlay, this._gestureHandlers());
    new ResizeObserver(() => this._resize()).observe(root);
    this._resize();
  }

  // WebGL, or a 2-D canvas in its place.
  _madePoints(canvas) {
    const points = WebglPoints.on(canvas, this._plane);
    this.renderer = points ? "webgl" : "canvas";
    if (points) {
      points.onRestored = () => this.redraw();
      return points;
    }
    const plain = canvas.cloneNode(); // the other one may have a context of WebGL already
    canvas.replaceWith(plain);
    return new CanvasPoints(plain, this._plane);
  }

  set tool(tool) {
    this._tool = tool;
    this._overlay.dataset.tool = tool;
    this._lasso = null;
    this.redraw();
  }

  set palette(palette) {
    this._palette = palette;
    this.redraw();
  }

  set marks(marks) {
    this._marks = marks;
    this.redraw();
  }

  // Four bytes for each point, of which the last is its opacity; the order in which points are
  // drawn; and which can be picked.
  setColours(colours, order, isShown) {
    this._points.setColours(colours, order);
    this._isShown = isShown;
    this.redraw();
  }

  zoom(factor, place) {
    this._viewport.zoomAt(factor, place);
    this._moved();
  }

  showAll() {
    this._viewport.showAll();
    this._moved();
  }

  // Moves to a row, unless it is well within the visible part; zooms in if `closer`.
  showRow(row, closer = false) {
    const view = this._viewport;
    if (closer) view.zoom = Math.max(view.zoom, 4);
    const [left, top] = view.toScreen(this._placeOf(row));
    const margin = 40;
    const isVisible =
      left > margin && top > margin && left < view.width - margin && top < view.height - margin;
    if (!isVisible || closer) view.center = this._placeOf(row);
    this._moved();
  }

  // The corners of what is visible: lower left and upper right.
  get visible() {
    const { width, height } = this._viewport;
    return [this._viewport.toPlane([0, height]), this._viewport.toPlane([width, 0])];
  }

  focus() {
    this._overlay.focus();
  }

  _placeOf(row) {
    return [this._plane.x[row], this._plane.y[row]];
  }

  _moved() {
    if (this._tool === "decode" && this._hasCrosshair) this._handlers.decode(this._viewport.center);
    this._handlers.moved();
    if (!this._pace.isMoving) this._pace.drawn = performance.now();
    this._pace.isMoving = true;
    this._rest();
    this.redraw();
  }

  // While the map moves, a machine that is too slow draws some of the points only: half as many
  // after a slow frame, and more again, little by little.
  _adaptPace() {
    const pace = this._pace;
    if (!pace.isMoving) return;
    const now = performance.now();
    const passed = now - pace.drawn;
    pace.drawn = now;
    const most = Math.max(1, this._plane.x.length / FEWEST_DRAWN);
    const factor = passed > SLOW_FRAME ? 2 : 0.98;
    pace.every = Math.min(Math.max(pace.every * factor, 1), most);
  }

  _pick(place) {
    const reach = this._viewport.scale.map((scale) => PICK_REACH / scale);
    return this._grid.nearest(this._viewport.toPlane(place), reach, this._isShown);
  }

  _gestureHandlers() {
    const plane = (place) => this._viewport.toPlane(place);
    return {
      tool: () => this._tool,
      pan: (right, down) => {
        this._viewport.pan(right, down);
        this._moved();
      },
      zoom: (factor, place) => this.zoom(factor, place),
      press: (place) => {
        this._hasCrosshair = false;
        if (this._tool === "lasso") this._lasso = [plane(place)];
        if (this._tool === "decode") this._handlers.decode(plane(place));
      },
      drag: (place) => {
        if (this._tool === "decode") this._handlers.decode(plane(place));
        if (this._tool === "lasso" && this._lasso) {
          this._lasso.push(plane(place));
          this.redraw();
        }
      },
      release: (place, hasMoved) => {
        if (this._tool === "lasso") this._finishLasso(hasMoved);
        else if (this._tool === "move" && !hasMoved) this._handlers.select(this._pick(place));
      },
      hover: (place) => this._handlers.hover(this._pick(place), place),
      leave: () => this._handlers.hover(-1),
      act: () => this._act(),
      whole: () => this.showAll(),
      escape: () => {
        this._lasso = null;
        this._handlers.escape();
        this.redraw();
      },
      focus: (isByKeyboard) => {
        this._hasCrosshair = isByKeyboard;
        this.redraw();
      },
    };
  }

  // Does at the crosshair what a click does there.
  _act() {
    const middle = [this._viewport.width / 2, this._viewport.height / 2];
    if (this._tool === "decode") this._handlers.decode(this._viewport.center);
    else if (this._tool === "move") this._handlers.select(this._pick(middle));
    else {
      const [[left, bottom], [right, top]] = this.visible;
      this._handlers.selectWithin([
        [left, bottom],
        [right, bottom],
        [right, top],
        [left, top],
      ]);
    }
  }

  _finishLasso(hasMoved) {
    const corners = this._lasso;
    this._lasso = null;
    if (hasMoved && corners && corners.length > 2) this._handlers.selectWithin(corners);
    this.redraw();
  }

  _resize() {
    const { clientWidth: width, clientHeight: height } = this._root;
    this._ratio = Math.min(window.devicePixelRatio || 1, MOST_RATIO);
    for (const canvas of this._root.querySelectorAll("canvas")) {
      canvas.width = Math.round(width * this._ratio);
      canvas.height = Math.round(height * this._ratio);
    }
    this._viewport.resize(width, height);
    this._handlers.moved();
    this._draw(); // at once: setting its size has cleared the canvas
  }

  // Points are smaller if there are many, and grow a little when the map is zoomed.
  get _pointSize() {
    const usual = Math.min(Math.max(11 - 1.9 * Math.log10(this._plane.x.length + 1), 1.6), 7);
    return Math.min(usual * Math.max(this._viewport.zoom, 1) ** 0.35, 12);
  }

  _draw() {
    this._adaptPace();
    const every = this._pace.isMoving ? Math.max(1, this._pace.every) : 1;
    this._points.draw(this._viewport, this._pointSize, this._ratio, every);
    this._drawMarks();
  }

  _drawMarks() {
    const { selected, neighbours, place } = this._marks;
    const isEmpty = selected < 0 && !place && !this._hasCrosshair && !this._lasso;
    if (isEmpty && this._isUnmarked) return; // an unchanged canvas costs the browser nothing
    this._isUnmarked = isEmpty;
    const context = this._context;
    context.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
    context.clearRect(0, 0, this._viewport.width, this._viewport.height);
    for (const row of neighbours) this._ring(this._placeOf(row), 6, this._palette.muted);
    if (selected >= 0) this._ring(this._placeOf(selected), 8, this._palette.text);
    if (place) this._cross(this._viewport.toScreen(place), 9, this._palette.accent);
    if (this._hasCrosshair) {
      const middle = [this._viewport.width / 2, this._viewport.height / 2];
      this._cross(middle, 14, this._palette.text);
    }
    if (this._lasso) this._line(this._lasso);
  }

  _stroked(colour, trace) {
    const context = this._context;
    for (const [width, style] of [
      [4.5, this._palette.surface],
      [2, colour],
    ]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      trace(context);
      context.stroke();
    }
  }

  _ring(place, radius, colour) {
    const [left, top] = this._viewport.toScreen(place);
    this._stroked(colour, (context) => context.arc(left, top, radius, 0, 2 * Math.PI));
  }

  _cross([left, top], reach, colour) {
    this._stroked(colour, (context) => {
      context.moveTo(left - reach, top);
      context.lineTo(left + reach, top);
      context.moveTo(left, top - reach);
      context.lineTo(left, top + reach);
    });
  }

  _line(corners) {
    this._stroked(this._palette.accent, (context) => {
      corners.forEach((corner, i) => {
        const [left, top] = this._viewport.toScreen(corner);
        if (i === 0) context.moveTo(left, top);
        else context.lineTo(left, top);
      });
    });
  }
}
