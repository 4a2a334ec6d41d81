// Places on the map are moved by drag and by arrow keys; each move is saved at once. The table below
// the map does the same without any of this.

const map = document.querySelector("[data-map]");
const problem = document.querySelector("[data-map-problem]");

const at = (place) => ({ x: Number(place.dataset.x), y: Number(place.dataset.y) });

function put(place, { x, y }) {
  place.dataset.x = x;
  place.dataset.y = y;
  const fields = document.querySelector(`[data-fields="${place.dataset.place}"]`);
  if (fields) [fields.querySelector("[name=x]").value, fields.querySelector("[name=y]").value] = [x, y];
}

function taken({ x, y }, except) {
  return [...map.children].some((p) => p !== except && at(p).x === x && at(p).y === y);
}

const inside = ({ x, y }) =>
  x >= 0 && y >= 0 && x < Number(map.dataset.columns) && y < Number(map.dataset.rows);

// One at a time, in order: the last one is what stays.
let saving = Promise.resolve();

function save(place, before) {
  const body = new URLSearchParams(at(place));
  saving = saving.then(async () => {
    problem.hidden = true;
    try {
      const answer = await fetch(`/live/map/${place.dataset.place}`, { method: "POST", body });
      if (answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      problem.textContent = page.querySelector(".note.red")?.textContent.trim() ?? answer.statusText;
    } catch (error) {
      problem.textContent = error.message;
    }
    put(place, before);
    problem.hidden = false;
  });
}

function move(place, to) {
  const before = at(place);
  if ((to.x === before.x && to.y === before.y) || !inside(to) || taken(to, place)) return;
  put(place, to);
  save(place, before);
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

map?.addEventListener("keydown", (event) => {
  const [place, step] = [event.target.closest("[data-place]"), STEPS[event.key]];
  if (!place || !step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  // Over what is in the way, to the next cell that is free.
  let to = at(place);
  do to = { x: to.x + step[0], y: to.y + step[1] };
  while (inside(to) && taken(to, place));
  move(place, to);
  place.scrollIntoView({ block: "nearest", inline: "nearest" });
});

function cellUnder(event) {
  const box = map.getBoundingClientRect();
  const columns = getComputedStyle(map).gridTemplateColumns.split(" ").map(parseFloat);
  const rows = getComputedStyle(map).gridTemplateRows.split(" ").map(parseFloat);
  const gap = parseFloat(getComputedStyle(map).columnGap) || 0;
  const along = (sizes, offset, otherwise) => {
    let edge = 0;
    for (const [n, size] of sizes.entries()) {
      edge += size + gap;
      if (offset < edge) return n;
    }
    return sizes.length + Math.floor((offset - edge) / otherwise);
  };
  return {
    x: along(columns, event.clientX - box.left, columns[0] + gap),
    y: along(rows, event.clientY - box.top, rows[0] + gap),
  };
}

let dragged = null;

map?.addEventListener("pointerdown", (event) => {
  const place = event.target.closest("[data-place]");
  if (!place || event.button) return;
  dragged = { place, x: event.clientX, y: event.clientY };
  place.setPointerCapture(event.pointerId);
});
map?.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  dragged.place.classList.add("moving");
  dragged.place.style.translate = `${event.clientX - dragged.x}px ${event.clientY - dragged.y}px`;
});
for (const end of ["pointerup", "pointercancel"]) {
  map?.addEventListener(end, (event) => {
    if (!dragged) return;
    const { place, x, y } = dragged;
    dragged = null;
    place.classList.remove("moving");
    place.style.translate = "";
    if (end === "pointerup" && Math.hypot(event.clientX - x, event.clientY - y) > 4) move(place, cellUnder(event));
  });
}
