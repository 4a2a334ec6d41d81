// Orders by drag and by keyboard, and weeks painted on a line. The fields are what counts: they
// can be filled in by hand, without any of this.

for (const list of document.querySelectorAll("[data-ordered] ol")) {
  let dragged = null;
  for (const item of list.children) {
    const grip = item.querySelector(".grip");
    grip.draggable = true;
    grip.addEventListener("dragstart", (event) => {
      dragged = item;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setDragImage(item, 0, 0);
    });
    item.addEventListener("dragover", (event) => {
      if (!dragged || dragged === item) return;
      event.preventDefault();
      const middle = item.getBoundingClientRect().top + item.offsetHeight / 2;
      list.insertBefore(dragged, event.clientY < middle ? item : item.nextSibling);
    });
    item.addEventListener("dragend", () => (dragged = null));
    item.addEventListener("drop", (event) => event.preventDefault());
  }
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    const item = button.closest("li");
    if (button.dataset.move === "-1") item.previousElementSibling?.before(item);
    else item.nextElementSibling?.after(item);
    button.focus();
  });
}

const SVG = "http://www.w3.org/2000/svg";
const hours = (text) => {
  const [h, m] = text.split(":").map(Number);
  return Number.isFinite(h) && Number.isFinite(m) ? Math.min(24, h + m / 60) : null;
};
const clock = (value) =>
  `${String(Math.floor(value)).padStart(2, "0")}:${String(Math.round((value % 1) * 60)).padStart(2, "0")}`;

function spans(text) {
  return text.split(",").flatMap((part) => {
    const [from, to] = part.split("-").map((side) => hours(side.trim()));
    return from === null || to === null || part.trim() === "" ? [] : [[from, to > from ? to : 24]];
  });
}

function paint(svg, text) {
  for (const old of svg.querySelectorAll(".open")) old.remove();
  for (const [from, to] of spans(text)) {
    const bar = document.createElementNS(SVG, "rect");
    bar.setAttribute("class", "open");
    bar.setAttribute("x", from);
    bar.setAttribute("width", to - from);
    bar.setAttribute("height", 4);
    svg.querySelector("line").before(bar);
  }
}

// Half hours from where the pointer went down to where it goes up: opened, or closed if it began
// on what was open.
function painted(text, from, to) {
  const slots = Array.from({ length: 48 }, (_, slot) =>
    spans(text).some(([a, b]) => slot / 2 >= a && slot / 2 < b),
  );
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  slots.fill(!slots[from], first, last + 1);
  const found = [];
  for (let slot = 0; slot < 48; slot++) {
    if (!slots[slot]) continue;
    const begin = slot;
    while (slots[slot]) slot++;
    found.push(`${clock(begin / 2)}-${slot === 48 ? "00:00" : clock(slot / 2)}`);
  }
  return found.join(", ");
}

for (const row of document.querySelectorAll("[data-week] .day-row")) {
  const [field, svg] = [row.querySelector("[data-day]"), row.querySelector("svg")];
  field.addEventListener("input", () => paint(svg, field.value));
  const slotAt = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.max(0, Math.min(47, Math.floor(((event.clientX - box.left) / box.width) * 48)));
  };
  let from = null;
  svg.addEventListener("pointerdown", (event) => {
    from = slotAt(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", (event) => {
    if (from === null) return;
    field.value = painted(field.value, from, slotAt(event));
    from = null;
    paint(svg, field.value);
  });
}
