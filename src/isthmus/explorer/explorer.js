// Reads the data of the page, and connects the map with the panels.

// The rows of the page, which may be some of all rows.
class PageRows {
  constructor({ noun, rows, numbers, names }) {
    this.noun = noun;
    this.count = rows;
    this.hasNames = names !== null;
    this._numbers = numbers ? unpacked(numbers) : null;
    this._names = names;
  }

  number(row) {
    return this._numbers ? this._numbers[row] : row;
  }

  name(row) {
    return this._names ? this._names[row] : `${this.noun} ${this.number(row).toLocaleString("en")}`;
  }

  // The row with a number, or a name; −1 if there is none.
  find(text) {
    const named = this._names ? this._names.indexOf(text) : -1;
    if (named >= 0 || !/^\d+$/.test(text)) return named;
    const number = Number(text);
    if (this._numbers) return this._numbers.indexOf(number);
    return number < this.count ? number : -1;
  }
}

const OPACITY = { one: 0.85, many: 0.4, beside: 0.07 };

class Explorer {
  constructor(data) {
    this._data = data;
    this._rows = new PageRows(data);
    this._codes = unpackedCodes(data.codes, data.rows);
    this._plane = new Plane(data.plane, this._codes);
    this._columns = data.columns.map((config) => new Column(config));
    this._decoder = madeDecoder(data.decoder);
    this._thumbnails = data.thumbnails ? new TileSheet(data.thumbnails) : null;
    this._selected = -1;
    this._selection = null;
    this._shown = new Uint8Array(data.rows).fill(1);
    this._sayVisible = afterPause(() => this._describeView(), 80);
    this._makePanels();
    this._map = new PointMap(byId("map").querySelector(".layers"), this._plane, {
      select: (row) => this.select(row),
      selectWithin: (corners) => this._selectWithin(corners),
      decode: (place) => this._decodeAt(place),
      hover: (row, place) => this._hover(row, place),
      moved: () => this._sayVisible(),
      escape: () => this._clear(),
    });
    byId("map").dataset.renderer = this._map.renderer;
    this._connectControls();
    this._legend.show();
    this._clear();
    this._decodeFirst();
  }

  _makePanels() {
    const { _columns: columns, _codes: codes, _rows: rows, _thumbnails: thumbnails } = this;
    const { outputs, picture, alarms, noun } = this._data;
    const choose = (row, closer) => this.select(row, closer);
    const dimensions = Array.from({ length: codes.size }, (_, i) => new CodeColumn(codes, i));
    this._legend = new Legend(byId("colour"), [...columns, ...dimensions], () => this._recolour());
    this._decodedPanel = new DecodedPanel(byId("decoded"), {
      decoder: this._decoder,
      outputs,
      picture,
      thumbnails,
      columns,
    });
    this._sliders = this._decoder.isLive
      ? new Sliders(byId("code").querySelector(".sliders"), codes, (code) => this._decodeCode(code))
      : null;
    this._rowPanel = new RowPanel(byId("row"), {
      rows,
      columns,
      thumbnails,
      choose,
      decoded: (canvas, row) => this._drawDecoded(canvas, row),
    });
    this._selectionPanel = new SelectionPanel(byId("selection"), {
      rows,
      columns: [...columns, ...dimensions],
      shown: outputs.length ? columns : [...columns, ...dimensions],
      picture: thumbnails ? (row) => this._rowPanel.picture(row) : null,
    });
    this._alarmPanel = alarms
      ? new AlarmPanel(byId("alarms"), { alarms, rows, noun, choose })
      : null;
  }

  _connectControls() {
    const actions = {
      in: () => this._map.zoom(1.5),
      out: () => this._map.zoom(1 / 1.5),
      whole: () => this._map.showAll(),
      view: () => this._selectView(),
      clear: () => this._clear(),
    };
    for (const button of byId("map").querySelectorAll("button[data-do]")) {
      button.addEventListener("click", actions[button.dataset.do]);
    }
    for (const input of byId("map").querySelectorAll("input[name=tool]")) {
      input.addEventListener("change", () => {
        this._map.tool = input.value;
      });
      if (input.checked) this._map.tool = input.value; // browsers restore it on reload
    }
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) this._clear();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this._map.palette = readPalette();
      this._legend.show();
    });
  }

  // Selects a row, −1 for none; the map shows it, `closer` if wanted.
  select(row, closer = false) {
    this._selected = row;
    const neighbours = row < 0 ? [] : nearestCodes(this._codes, row, NEIGHBOURS);
    this._rowPanel.show(row, neighbours);
    this._alarmPanel?.show(row);
    this._neighbours = neighbours.map((neighbour) => neighbour.row);
    if (row >= 0) {
      const place = [this._plane.x[row], this._plane.y[row]];
      this._show({ code: this._codes.of(row), place }, row, this._rows.name(row));
      this._map.showRow(row, closer);
    }
    this._mark(null);
  }

  _clear() {
    this._selection = null;
    this._selectionPanel.show(null);
    this.select(-1);
    this._recolour();
  }

  _mark(place) {
    this._map.marks = { selected: this._selected, neighbours: this._neighbours ?? [], place };
  }

  // ---- Decoding.

  _show(source, row, caption) {
    this._decodedPanel.show(source, row, caption);
    if (this._sliders) this._sliders.code = source.code;
  }

  _decodeFirst() {
    const { low, step } = this._data.codes;
    const middle = this._plane.kind === "map" ? [this._plane.x[0], this._plane.y[0]] : null;
    const code = low.map((from, i) => from + (step[i] * 65_535) / 2);
    const place = middle ?? this._plane.placeOf(code);
    this._show({ code: this._plane.codeAt(place), place }, -1, "The middle of the plane.");
  }

  _decodeAt(place) {
    const [x, y] = place.map((at) => numberText(at, 3));
    const { names } = this._plane;
    const own = `${names[0]} = ${x}`;
    const said = this._plane.kind === "line" ? own : `${own}, ${names[1]} = ${y}`;
    this._show({ code: this._plane.codeAt(place), place }, -1, `Decoded from the plane: ${said}.`);
    this._mark(place);
  }

  _decodeCode(code) {
    const place = this._plane.placeOf(code, this._plane.y[Math.max(this._selected, 0)]);
    this._decodedPanel.show({ code, place }, -1, "Decoded from the sliders.");
    this._mark(place);
  }

  _drawDecoded(canvas, row) {
    const place = [this._plane.x[row], this._plane.y[row]];
    const made = this._decoder.decode({ code: this._codes.of(row), place });
    if (made.cells) drawPicture(canvas, this._data.picture, made.cells);
    else made.sheet.drawOn(canvas, made.tile);
  }

  // ---- Selecting and filtering.

  _selectWithin(corners) {
    const [lefts, heights] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    const [left, right] = [Math.min(...lefts), Math.max(...lefts)];
    const [bottom, top] = [Math.min(...heights), Math.max(...heights)];
    const { x, y } = this._plane;
    this._selection = Uint8Array.from(x, (at, row) => {
      const isNear = at >= left && at <= right && y[row] >= bottom && y[row] <= top;
      return isNear && this._shown[row] && isInside([at, y[row]], corners) ? 1 : 0;
    });
    this._selectionPanel.show(this._selection);
    this._recolour();
  }

  _selectView() {
    const [[left, bottom], [right, top]] = this._map.visible;
    this._selectWithin([
      [left, bottom],
      [right, bottom],
      [right, top],
      [left, top],
    ]);
  }

  _recolour() {
    const { column, colours } = this._legend;
    const count = this._rows.count;
    const bytes = new Uint8Array(4 * count);
    const ranks = new Uint8Array(count);
    const usual = OPACITY.one - (OPACITY.one - OPACITY.many) * Math.min(Math.log10(count) / 5, 1);
    for (let row = 0; row < count; row++) {
      this._shown[row] = this._legend.isShown(row) ? 1 : 0;
      if (!this._shown[row]) continue;
      const isBeside = this._selection && !this._selection[row];
      bytes.set(colours.colourOf(column.value(row)), 4 * row);
      bytes[4 * row + 3] = Math.round(255 * (isBeside ? OPACITY.beside : usual));
      ranks[row] = isBeside ? 0 : 1 + colours.rankOf(column.value(row));
    }
    this._map?.setColours(bytes, orderByRank(ranks), (row) => this._shown[row] === 1);
    this._sayVisible();
  }

  // ---- What is said.

  _hover(row, place) {
    const tip = byId("tip");
    tip.hidden = row < 0;
    if (row < 0) return;
    const { column } = this._legend;
    tip.textContent = `${this._rows.name(row)}; ${column.name}: ${column.text(row)}`;
    tip.style.translate = `${place[0]}px ${place[1]}px`;
  }

  _describeView() {
    const { noun, count } = this._rows;
    const shown = this._shown.reduce((sum, one) => sum + one, 0);
    const [[left, bottom], [right, top]] = this._map.visible;
    const axis = (name, from, to) => [
      `${name} from `,
      element("data", { value: from }, numberText(from, 3)),
      " to ",
      element("data", { value: to }, numberText(to, 3)),
    ];
    const [across, up] = this._plane.names;
    const filtered =
      shown === count ? `All ${countText(count, noun)} shown. ` : `${shown.toLocaleString("en")} of ${countText(count, noun)} shown. `;
    byId("map-visible").replaceChildren(
      element("data", { value: shown }, filtered),
      "In view: ",
      ...axis(across, left, right),
      ", ",
      ...axis(up, bottom, top),
      "."
    );
  }
}

new Explorer(JSON.parse(byId("explorer-data").textContent));
document.documentElement.classList.add("scripted");
