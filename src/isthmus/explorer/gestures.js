// Pointers, the wheel and keys of the map, as the calls of a few handlers.
//
// `handlers` has: tool() - "move", "lasso" or "decode"; pan(right, down); zoom(factor, place);
// press(place), drag(place), release(place, hasMoved) of one pointer; hover(place); leave();
// act() at the crosshair; whole(); escape(); focus(isByKeyboard).

const CLICK_REACH = 5; // pixels that a pointer may move in a click
const KEY_STEP = 60; // pixels
const KEY_ZOOM = 1.35;

class Gestures {
  constructor(target, handlers) {
    this._target = target;
    this._handlers = handlers;
    this._pointers = new Map();
    this._began = null;
    this._hasMoved = false;
    this._wasPinched = false;
    this._listen("pointerdown", this._down);
    this._listen("pointermove", this._move);
    this._listen("pointerup", this._up);
    this._listen("pointercancel", this._up);
    this._listen("pointerleave", () => handlers.leave());
    this._listen("wheel", this._wheel, { passive: false });
    this._listen("keydown", this._key);
    this._listen("focus", () => handlers.focus(target.matches(":focus-visible")));
    this._listen("blur", () => handlers.focus(false));
  }

  _listen(kind, action, options) {
    this._target.addEventListener(kind, action.bind(this), options);
  }

  _place(event) {
    const { left, top } = this._target.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  _down(event) {
    if (event.button !== 0) return;
    const place = this._place(event);
    this._target.setPointerCapture(event.pointerId);
    this._pointers.set(event.pointerId, place);
    this._wasPinched = this._pointers.size > 1;
    if (this._wasPinched) return;
    this._began = place;
    this._hasMoved = false;
    this._handlers.press(place);
  }

  _move(event) {
    const place = this._place(event);
    const before = this._pointers.get(event.pointerId);
    if (!before) {
      this._handlers.hover(place);
      return;
    }
    if (this._pointers.size > 1) {
      this._pinch(event.pointerId, before, place);
      return;
    }
    this._pointers.set(event.pointerId, place);
    if (this._wasPinched) return;
    const away = Math.hypot(place[0] - this._began[0], place[1] - this._began[1]);
    this._hasMoved ||= away > CLICK_REACH;
    if (!this._hasMoved) return;
    if (this._handlers.tool() === "move") {
      this._handlers.pan(place[0] - before[0], place[1] - before[1]);
    } else this._handlers.drag(place);
  }

  _pinch(id, before, place) {
    const [, other] = [...this._pointers].find(([key]) => key !== id);
    const distance = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
    const middle = (at) => [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
    const [from, to] = [middle(before), middle(place)];
    this._pointers.set(id, place);
    this._handlers.pan(to[0] - from[0], to[1] - from[1]);
    if (distance(before) > 0) this._handlers.zoom(distance(place) / distance(before), to);
  }

  _up(event) {
    if (!this._pointers.delete(event.pointerId) || this._wasPinched) return;
    if (event.type === "pointerup") this._handlers.release(this._place(event), this._hasMoved);
  }

  _wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === 0 ? event.deltaY : 30 * event.deltaY;
    this._handlers.zoom(Math.exp(-0.002 * pixels), this._place(event));
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { pan, zoom, whole, act, escape } = this._handlers;
    const actions = {
      ArrowLeft: () => pan(KEY_STEP, 0),
      ArrowRight: () => pan(-KEY_STEP, 0),
      ArrowUp: () => pan(0, KEY_STEP),
      ArrowDown: () => pan(0, -KEY_STEP),
      "+": () => zoom(KEY_ZOOM),
      "=": () => zoom(KEY_ZOOM),
      "-": () => zoom(1 / KEY_ZOOM),
      0: whole,
      Enter: act,
      " ": act,
      Escape: escape,
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    this._handlers.focus(true);
    action();
  }
}
