// A slider for each number of a code, between its smallest and its largest value.

const MOST_SLIDERS = 32; // the numbers that vary most
const SLIDER_STEPS = 1000;

class Sliders {
  // `changed` is called with the whole code when a slider is moved.
  constructor(root, codes, changed) {
    this._code = new Float32Array(codes.size);
    const columns = Array.from({ length: codes.size }, (_, i) => new CodeColumn(codes, i));
    const spreads = columns.map((column) => column.moments().deviation);
    const order = spreads.map((_, i) => i).sort((a, b) => spreads[b] - spreads[a] || a - b);
    const shown = order.slice(0, MOST_SLIDERS).sort((a, b) => a - b);
    this._sliders = shown.map((dimension) => {
      const [low, high] = columns[dimension].ends;
      const input = element("input", { type: "range", min: low, max: high, step: "any" });
      const step = (high - low) / SLIDER_STEPS;
      const value = element("data", { className: "muted" });
      const name = element("span", {}, `code ${dimension + 1}`);
      input.addEventListener("keydown", (event) => this._key(event, input, step * 20));
      input.addEventListener("input", () => {
        this._code[dimension] = Number(input.value);
        this._say(dimension);
        changed(this._code.slice());
      });
      root.append(element("label", {}, name, input, value));
      return { dimension, input, value };
    });
    if (codes.size > shown.length) {
      const text = `The ${shown.length} of ${codes.size} numbers that vary most have sliders.`;
      root.append(element("p", { className: "caption" }, text));
    }
  }

  // With step="any", browsers do not agree on what the arrow keys do.
  _key(event, input, step) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 };
    if (!(event.key in by)) return;
    event.preventDefault();
    input.value = Number(input.value) + by[event.key] * step;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  set code(code) {
    this._code = Float32Array.from(code);
    for (const { dimension, input } of this._sliders) {
      input.value = code[dimension]; // the browser keeps it within the range
      this._say(dimension);
    }
  }

  _say(dimension) {
    const { value, input } = this._sliders.find((slider) => slider.dimension === dimension);
    value.value = this._code[dimension];
    value.textContent = numberText(this._code[dimension], 3);
    input.setAttribute("aria-valuetext", value.textContent);
  }
}
