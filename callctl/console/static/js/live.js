// Keeps the live page up to date: the stream of events says that something happened, the page is
// asked for what there is now. So nothing is missed, whatever restarts in between.

const AT_LEAST_EVERY_MS = 5000;
const AT_MOST_EVERY_MS = 250;

const sign = document.querySelector("[data-stream]");
const words = document.querySelector("[data-stream-text]");
let asked = 0;
let waiting = null;

function say(open) {
  sign.hidden = false;
  sign.classList.toggle("green", open);
  sign.classList.toggle("red", !open);
  sign.classList.remove("grey");
  words.textContent = open ? words.dataset.open : words.dataset.closed;
}

async function refresh() {
  waiting = null;
  asked = Date.now();
  try {
    const answer = await fetch("/live", { headers: { Accept: "text/html" } });
    if (answer.redirected) return window.location.assign(answer.url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    const shown = document.getElementById("live");
    // Not under somebody's fingers.
    if (fresh && !shown.contains(document.activeElement)) shown.replaceWith(document.adoptNode(fresh));
    say(Boolean(fresh));
  } catch {
    say(false);
  }
}

function soon() {
  waiting ??= setTimeout(refresh, Math.max(0, asked + AT_MOST_EVERY_MS - Date.now()));
}

const kinds = ["call.ringing", "call.answered", "call.ended", "call.changed", "lost"];
const events = new EventSource("/api/v1/events");
for (const kind of kinds) events.addEventListener(kind, soon);
events.addEventListener("open", soon);
events.addEventListener("error", () => say(false));
window.addEventListener("offline", () => say(false));
window.addEventListener("online", soon);
setInterval(soon, AT_LEAST_EVERY_MS);

setInterval(() => {
  for (const cell of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(cell.dataset.since)) / 1000));
    const [m, s] = [Math.floor(seconds / 60), seconds % 60];
    cell.textContent = `${m}:${String(s).padStart(2, "0")}`;
  }
}, 1000);
