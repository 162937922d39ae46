// The alarms of a detector with the highest scores, and the cells that caused them.

class AlarmPanel {
  constructor(root, { alarms, rows, noun, choose }) {
    const listed = alarms.rows.length;
    const all = countText(alarms.count, "alarm");
    const text =
      listed < alarms.count
        ? `${all}; the ${listed} with the highest scores are listed.`
        : `${all}, the highest score first.`;
    root.querySelector("[data-part=title]").textContent =
      alarms.count === 0 ? `No ${noun} raises an alarm.` : text;
    this._buttons = new Map();
    const items = alarms.rows.map((row, i) => {
      const { score, p, reasons } = alarms.entries[i];
      const name = element("b", {}, rows.name(row));
      const figures = element("span", { className: "muted" }, `score ${score}, p = ${p}`);
      const said = reasons.map((reason) =>
        element(
          "span",
          { className: "reason" },
          `${reason.column}: ${reason.value}, expected ${reason.expected} (${reason.share})`
        )
      );
      const button = element("button", { type: "button", data: { row } }, name, " ", figures, ...said);
      button.addEventListener("click", () => choose(row, true));
      this._buttons.set(row, button);
      return element("li", {}, button);
    });
    root.querySelector("ol").append(...items);
  }

  show(row) {
    for (const [own, button] of this._buttons) {
      if (own === row) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}
