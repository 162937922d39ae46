// The timeline of an anomaly report: draws the data of the page on a canvas, zooms and pans.
//
// The data are numbers only, from timeline_data.py. Names of sensors are text of the page; they are
// read with textContent and drawn with fillText, so they never become markup.
"use strict";

(() => {
  const section = document.getElementById("timeline");
  const canvas = section.querySelector("canvas");
  const data = JSON.parse(document.getElementById("timeline-data").textContent);
  const visibleText = document.getElementById("timeline-visible");
  const boxes = [...section.querySelectorAll("fieldset input")];
  const names = boxes.map((box) => box.parentElement.textContent.trim());
  const rows = [...section.querySelectorAll("tr[data-alarm]")];

  const HEIGHT = { score: 104, sensor: 78, name: 20, axis: 38, strip: 30 };
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";
  const FEWEST_ROWS = 8; // the closest zoom
  const view = { start: 0, end: Math.max(data.end, data.step) };
  const whole = { ...view };
  const colours = {};
  let pointerX = null; // where the values are read out
  let selected = -1; // the number of the alarm that was chosen last

  const overview = makeBlock(data.overview, data.step);
  const pieces = data.pieces.map((piece) => makeBlock(piece, data.step));
  const lastOf = (block) => block.to[block.count - 1];
  const channels = { score: 0, value: (s) => 1 + s, expected: (s) => 1 + data.sensors + s };

  // The blocks to draw from, each with the part of the time that it is used for.
  function sources(plot) {
    const all = marksOf(overview, plot, view.start, view.end, data.gap);
    const near = pieces.filter((p) => p.from[0] < view.end && lastOf(p) > view.start);
    if (all.columns || near.length === 0) return [{ marks: all, except: [] }];
    const detail = near.map((piece) => ({
      marks: marksOf(piece, plot, view.start, view.end, data.gap),
      only: [piece.from[0], lastOf(piece)],
    }));
    const covering = near.findIndex((p) => p.from[0] <= view.start && lastOf(p) >= view.end);
    return covering >= 0
      ? [detail[covering]]
      : [{ marks: all, except: detail.map((source) => source.only) }, ...detail];
  }

  // ---- Drawing.

  const context = canvas.getContext("2d");

  function readColours() {
    const style = getComputedStyle(section);
    for (const name of ["text", "muted", "line", "surface", "accent", "c0", "c1", "c2", "c3"]) {
      colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  function lanes() {
    const shown = boxes.flatMap((box, sensor) => (box.checked ? [sensor] : []));
    const result = [{ sensor: -1, name: "score", top: HEIGHT.name, height: HEIGHT.score }];
    let bottom = HEIGHT.name + HEIGHT.score;
    for (const sensor of shown) {
      const top = bottom + HEIGHT.name;
      result.push({ sensor, name: names[sensor], top, height: HEIGHT.sensor });
      bottom = top + HEIGHT.sensor;
    }
    return { result, bottom };
  }

  function layout() {
    const { result, bottom } = lanes();
    const width = canvas.parentElement.clientWidth;
    const height = bottom + HEIGHT.axis + HEIGHT.strip;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      canvas.style.height = `${height}px`;
    }
    const left = 52;
    return { lanes: result, bottom, left, ratio, width: Math.max(1, width - left - 8) };
  }

  function clipped(x, y, width, height, paint) {
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    paint();
    context.restore();
  }

  // Calls `paint` with the drawing limited to the time that a source is used for.
  function within(source, plot, lane, paint) {
    const x = (at) => plot.left + ((at - view.start) / (view.end - view.start)) * plot.width;
    if (source.only) {
      const [from, to] = source.only.map(x);
      clipped(from - 1, lane.top, to - from + 2, lane.height, paint);
      return;
    }
    context.save();
    context.beginPath();
    context.rect(plot.left, lane.top, plot.width, lane.height);
    for (const [from, to] of source.except) {
      context.rect(x(from), lane.top, x(to) - x(from), lane.height);
    }
    context.clip("evenodd");
    paint();
    context.restore();
  }

  // A bar for each mark, from its lowest to its highest value: much faster than a path. A bar that
  // is `joined` reaches the one before it, as a line would.
  function bars(marks, { bottom, top }, y, [down, up], joined) {
    for (let m = 0; m < marks.count; m++) {
      let low = bottom[m];
      let high = top[m];
      if (Number.isNaN(low)) continue;
      if (joined && m > 0 && !marks.broken[m]) {
        if (top[m - 1] < low) low = top[m - 1];
        if (bottom[m - 1] > high) high = bottom[m - 1];
      }
      const upper = y(high + up);
      const height = Math.max(y(low + down) - upper, 1.2);
      context.fillRect(marks.left[m], upper, marks.right[m] - marks.left[m], height);
    }
  }

  function band(marks, values, y, usual) {
    context.fillStyle = colours.c2;
    context.globalAlpha = 0.3;
    if (marks.lines) area(marks, values.bottom, y, usual);
    else bars(marks, values, y, usual, false);
    context.globalAlpha = 1;
  }

  function area(marks, values, y, [down, up]) {
    context.beginPath();
    for (const [first, last] of pieced(marks, values)) {
      context.moveTo(marks.left[first], y(values[first] + down));
      for (let m = first; m <= last; m++) context.lineTo(marks.left[m], y(values[m] + up));
      for (let m = last; m > first; m--) context.lineTo(marks.left[m], y(values[m] + down));
    }
    context.fill();
  }

  function trace(marks, values, y) {
    context.strokeStyle = context.fillStyle = colours.c0;
    if (marks.lines) {
      line(marks, values.bottom, y);
      return;
    }
    context.globalAlpha = marks.columns ? 1 : 0.55;
    bars(marks, values, y, [0, 0], marks.columns);
    context.globalAlpha = 1;
  }

  function line(marks, values, y) {
    context.lineWidth = 1.2;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    for (const [first, last] of pieced(marks, values)) {
      context.moveTo(marks.left[first], y(values[first]));
      for (let m = first + 1; m <= last; m++) context.lineTo(marks.left[m], y(values[m]));
      if (first === last) context.lineTo(marks.left[first] + 0.1, y(values[first]));
    }
    context.stroke();
    const spacing = (marks.left[marks.count - 1] - marks.left[0]) / marks.count;
    if (!(spacing > 6)) return;
    context.beginPath();
    for (let m = 0; m < marks.count; m++) {
      if (Number.isNaN(values[m])) continue;
      context.moveTo(marks.left[m] + 2, y(values[m]));
      context.arc(marks.left[m], y(values[m]), 2, 0, 2 * Math.PI);
    }
    context.fill();
  }

  // Shades intervals; those that share a column of pixels are drawn once.
  function shade(intervals, plot, paint) {
    const scale = plot.width / (view.end - view.start);
    let drawn = -Infinity;
    for (let k = 0; k < intervals.length; k++) {
      const [from, to] = intervals[k];
      if (to < view.start || from > view.end) continue;
      const left = plot.left + Math.max(0, (from - view.start) * scale);
      const right = plot.left + Math.min(plot.width, (to - view.start) * scale);
      if (right < drawn + 0.5) continue;
      paint(k, left, Math.max(1.5, right - left));
      drawn = Math.max(right, left + 1.5);
    }
  }

  function drawAlarms(lane, plot) {
    context.fillStyle = colours.c1;
    shade(data.alarms, plot, (k, left, width) => {
      const responsible = lane.sensor < 0 || data.blame[k].includes(lane.sensor);
      context.globalAlpha = responsible ? 0.26 : 0.09;
      context.fillRect(left, lane.top, width, lane.height);
      context.globalAlpha = 1;
      if (responsible && lane.sensor >= 0) context.fillRect(left, lane.top, width, 3);
    });
    if (lane.sensor >= 0) return;
    context.fillStyle = colours.c3;
    shade(data.truth, plot, (_, left, width) => context.fillRect(left, lane.top, width, 4));
  }

  function drawGrid(lane, plot, scale) {
    context.lineWidth = 1;
    context.strokeStyle = colours.line;
    context.fillStyle = colours.muted;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { at, text } of scale.ticks) {
      const y = Math.round(scale.y(at)) + 0.5;
      context.beginPath();
      context.moveTo(plot.left, y);
      context.lineTo(plot.left + plot.width, y);
      context.stroke();
      context.fillText(text, plot.left - 6, y, plot.left - 8);
    }
  }

  // The name of a lane and the values at the pointer, above the lane.
  function drawName(lane, plot, values) {
    const right = plot.left + plot.width;
    const y = lane.top - HEIGHT.name / 2;
    context.fillStyle = colours.text;
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillText(values, right, y, plot.width * 0.7);
    const taken = Math.min(context.measureText(values).width, plot.width * 0.7);
    context.textAlign = "left";
    clipped(plot.left, y - 10, plot.width - taken - 10, 20, () => {
      context.fillText(shortened(lane.name), plot.left, y);
    });
  }

  const shortened = (name) => (name.length > 40 ? `${name.slice(0, 39)}…` : name);

  function drawLane(lane, plot, used) {
    const score = lane.sensor < 0;
    const parts = used.map((source) => ({
      source,
      values: extremes(source.marks, score ? channels.score : channels.value(lane.sensor)),
      expected: score ? null : extremes(source.marks, channels.expected(lane.sensor)),
    }));
    const usual = score ? [0, 0] : data.usual[lane.sensor];
    let low = score ? (data.log ? data.threshold : 0) : Infinity;
    let high = score ? data.threshold : -Infinity;
    const include = (values, by) => {
      for (const value of values) {
        if (value + by < low) low = value + by;
        if (value + by > high) high = value + by;
      }
    };
    for (const { values, expected } of parts) {
      include(values.bottom, 0);
      include(values.top, 0);
      if (expected) include(expected.bottom, usual[0]);
      if (expected) include(expected.top, usual[1]);
    }
    const scale = verticalScale(low, high, lane.top, lane.height, score && data.log);
    drawGrid(lane, plot, scale);
    clipped(plot.left, lane.top, plot.width, lane.height, () => drawAlarms(lane, plot));
    for (const { source, values, expected } of parts) {
      within(source, plot, lane, () => {
        if (expected) band(source.marks, expected, scale.y, usual);
        trace(source.marks, values, scale.y);
      });
    }
    if (score) drawThreshold(plot, scale.y(data.threshold));
  }

  function drawThreshold(plot, y) {
    context.strokeStyle = colours.text;
    context.lineWidth = 1;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(plot.left, y);
    context.lineTo(plot.left + plot.width, y);
    context.stroke();
    context.setLineDash([]);
  }

  function drawAxis(plot) {
    context.font = FONT;
    context.fillStyle = context.strokeStyle = colours.muted;
    context.textBaseline = "top";
    context.lineWidth = 1;
    context.strokeRect(plot.left, plot.bottom + 0.5, plot.width, 0);
    let day = "";
    for (const tick of timeTicks(view, plot, data)) {
      const x = plot.left + ((tick.at - view.start) / (view.end - view.start)) * plot.width;
      context.fillRect(x - 0.5, plot.bottom, 1, 4);
      const half = context.measureText(tick.text).width / 2;
      const right = plot.left + plot.width + 8;
      context.textAlign = "center";
      context.fillText(tick.text, Math.min(x, right - half), plot.bottom + 6);
      if (tick.day !== day) {
        const wide = context.measureText(tick.day).width / 2;
        context.fillText(tick.day, Math.min(x, right - wide), plot.bottom + 21);
        day = tick.day;
      }
    }
  }

  function drawStrip(plot) {
    const lane = { top: plot.bottom + HEIGHT.axis, height: HEIGHT.strip - 2 };
    const marks = marksOf(overview, plot, whole.start, whole.end, data.gap);
    const values = extremes(marks, channels.score);
    let high = data.threshold;
    for (const value of values.top) if (value > high) high = value;
    const low = data.log ? data.threshold / 10 : 0;
    const { y } = verticalScale(low, high, lane.top, lane.height, data.log);
    clipped(plot.left, lane.top, plot.width, lane.height, () => trace(marks, values, y));
    const x = (at) => plot.left + (plot.width * at) / whole.end;
    const [from, to] = [x(view.start), x(view.end)];
    context.fillStyle = colours.surface;
    context.globalAlpha = 0.65;
    context.fillRect(plot.left, lane.top, from - plot.left, lane.height);
    context.fillRect(to, lane.top, plot.left + plot.width - to, lane.height);
    context.globalAlpha = 1;
    context.strokeStyle = colours.accent;
    context.lineWidth = 1.5;
    context.strokeRect(from, lane.top, Math.max(2, to - from), lane.height);
  }

  // The values at the pointer, to the right of each sensor's name.
  function readouts(plot, used) {
    if (pointerX === null) return plot.lanes.map(() => "");
    const at = view.start + ((pointerX - plot.left) / plot.width) * (view.end - view.start);
    const source = used.findLast(({ only }) => !only || (only[0] <= at && at <= only[1]));
    const { block } = source.marks;
    let i = Math.max(0, countBelow(block.from, at) - 1);
    if (block.size === 1 && i + 1 < block.count && block.from[i + 1] - at < at - block.from[i]) i++;
    const range = (channel, down, up) => {
      const low = block.low(channel)[i] + down;
      const high = block.high(channel)[i] + up;
      if (Number.isNaN(low)) return "–";
      return low === high ? readText(low) : `${readText(low)} to ${readText(high)}`;
    };
    return plot.lanes.map(({ sensor }) => {
      if (sensor < 0) return `${range(channels.score, 0, 0)} at ${when(block.from[i], data)}`;
      const expected = range(channels.expected(sensor), ...data.usual[sensor]);
      return `${range(channels.value(sensor), 0, 0)}, expected ${expected}`;
    });
  }

  function draw() {
    const plot = layout();
    context.setTransform(plot.ratio, 0, 0, plot.ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.font = FONT;
    const used = sources(plot);
    const texts = readouts(plot, used);
    plot.lanes.forEach((lane, k) => {
      drawLane(lane, plot, used);
      drawName(lane, plot, texts[k]);
    });
    if (pointerX !== null) {
      context.fillStyle = colours.muted;
      context.fillRect(pointerX, HEIGHT.name, 1, plot.bottom - HEIGHT.name);
    }
    drawAxis(plot);
    drawStrip(plot);
    describe(used, plot);
  }

  let requested = false;
  function redraw() {
    if (requested) return;
    requested = true;
    requestAnimationFrame(() => {
      requested = false;
      draw();
    });
  }

  // Says what is visible; after a pause, so that a screen reader does not read every step.
  let pause = 0;
  function describe(used, plot) {
    const { marks, except = [] } = used[0];
    const perMark = marks.columns
      ? Math.round((marks.total * marks.block.size) / (plot.width * plot.ratio))
      : marks.block.size;
    const rowsText = `the lowest and the highest of ${perMark.toLocaleString("en")} rows`;
    let detail = "every row";
    if (perMark > 1) detail = `${rowsText} in each ${marks.columns ? "column of pixels" : "box"}`;
    if (except.length) detail += ", and every row around alarms";
    const text = `Visible: ${when(view.start, data)} to ${when(view.end, data)}; ${detail}.`;
    clearTimeout(pause);
    pause = setTimeout(() => {
      if (visibleText.textContent !== text) visibleText.textContent = text;
    }, 150);
  }

  // ---- Moving.

  function show(start, end) {
    const least = Math.min(FEWEST_ROWS * data.step, whole.end);
    const length = Math.min(Math.max(end - start, least), whole.end);
    const centre = (start + end) / 2;
    view.start = Math.min(Math.max(centre - length / 2, 0), whole.end - length);
    view.end = view.start + length;
    selected = -1;
    redraw();
  }

  const pan = (distance) => show(view.start + distance, view.end + distance);

  // Zooms by a factor, below 1 to see less, and keeps the time at `share` of the width in place.
  function zoom(factor, share = 0.5) {
    const length = view.end - view.start;
    const wanted = Math.min(Math.max(length * factor, FEWEST_ROWS * data.step), whole.end);
    const start = view.start + share * (length - wanted);
    show(start, start + wanted);
  }

  function showAlarm(number) {
    for (const sensor of data.blame[number]) boxes[sensor].checked = true;
    for (const row of rows) {
      if (Number(row.dataset.alarm) === number) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    show(...data.views[number]);
    selected = number;
  }

  // The next alarm after the chosen one or, without one, after the middle of what is visible.
  function step(direction) {
    const middle = (view.start + view.end) / 2;
    let number = selected + direction;
    if (selected < 0) {
      const after = data.alarms.filter(([from]) => from <= middle).length;
      number = direction > 0 ? after : after - 1;
    }
    if (number >= 0 && number < data.alarms.length) showAlarm(number);
  }

  const actions = {
    in: () => zoom(0.5),
    out: () => zoom(2),
    whole: () => show(whole.start, whole.end),
    previous: () => step(-1),
    next: () => step(1),
    left: () => pan((view.start - view.end) / 8),
    right: () => pan((view.end - view.start) / 8),
  };
  const keys = {
    "+": "in",
    "=": "in", // + without Shift
    "-": "out",
    0: "whole",
    ArrowLeft: "left",
    ArrowRight: "right",
  };

  canvas.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[action]();
  });

  // Without focus, the wheel scrolls the page. A pinch on a trackpad is a wheel with Ctrl.
  canvas.addEventListener(
    "wheel",
    (event) => {
      const asked = event.ctrlKey || event.metaKey || document.activeElement === canvas;
      if (!asked) return;
      event.preventDefault();
      const unit = event.deltaMode === 0 ? 1 : 16;
      const plot = layout();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(((event.deltaX * unit) / plot.width) * (view.end - view.start));
      } else {
        const speed = event.ctrlKey && Math.abs(event.deltaY) < 50 ? 0.01 : 0.002;
        const share = (event.offsetX - plot.left) / plot.width;
        zoom(Math.exp(event.deltaY * unit * speed), Math.min(Math.max(share, 0), 1));
      }
    },
    { passive: false },
  );

  const pointers = new Map(); // where each finger or the mouse is down
  let onStrip = false;

  function dragStrip(x, plot) {
    const centre = ((x - plot.left) / plot.width) * whole.end;
    const half = (view.end - view.start) / 2;
    show(centre - half, centre + half);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const plot = layout();
    onStrip = event.offsetY > plot.bottom + HEIGHT.axis;
    pointers.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
    if (onStrip) dragStrip(event.offsetX, plot);
  });

  canvas.addEventListener("pointermove", (event) => {
    const plot = layout();
    const x = event.offsetX;
    const inside = x >= plot.left && x <= plot.left + plot.width;
    pointerX = event.pointerType === "mouse" && inside ? x : null;
    redraw();
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    const perPixel = (view.end - view.start) / plot.width;
    if (onStrip) dragStrip(x, plot);
    else if (pointers.size === 1) pan((before - x) * perPixel);
    else {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const factor = Math.max(Math.abs(before - other), 10) / Math.max(Math.abs(x - other), 10);
      zoom(factor, (other - plot.left) / plot.width);
    }
    pointers.set(event.pointerId, x);
  });

  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener("pointerleave", () => {
    pointerX = null;
    redraw();
  });

  for (const button of section.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => actions[button.dataset.do]());
  }
  for (const box of boxes) box.addEventListener("change", redraw);

  // The first cell of an alarm becomes a button, for the keyboard; the whole row can be clicked.
  for (const row of rows) {
    const cell = row.querySelector("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    cell.replaceChildren(button);
    row.addEventListener("click", () => {
      showAlarm(Number(row.dataset.alarm));
      canvas.scrollIntoView({ block: "nearest" });
    });
  }

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    redraw();
  });
  new ResizeObserver(redraw).observe(canvas.parentElement);
  readColours();
  section.classList.add("scripted");
  try {
    draw();
  } catch (error) {
    section.classList.remove("scripted"); // the chart without a script is shown instead
    throw error;
  }
})();
