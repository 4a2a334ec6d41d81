// Keeps a page up to date: the stream of events says that something happened, the page is asked for
// what there is now. So nothing is missed, whatever restarts in between.

const AT_LEAST_EVERY_MS = 5000;
const AT_MOST_EVERY_MS = 250;
const PATIENCE_MS = 8000;

const root = () => document.querySelector("[data-live]");
const sign = document.querySelector("[data-stream]");
const words = document.querySelector("[data-stream-text]");
const lost = document.querySelector("[data-stream-lost]");
let asked = 0;
let waiting = null;
const localTime = () => new Date().toLocaleTimeString(document.documentElement.lang, { hourCycle: "h23" });
let shownAt = localTime();

const LOOKS = { live: "green", stale: "amber", lost: "red" };

function say(state) {
  sign.hidden = false;
  sign.classList.remove("grey", ...Object.values(LOOKS));
  sign.classList.add(LOOKS[state]);
  words.textContent = words.dataset[`${state}Text`];
}

// What the server last said of itself stays beside it no longer: one page says one thing.
function sayShown() {
  shownAt = root().querySelector("[data-shown-at]")?.dataset.shownAt ?? localTime();
  lost.hidden = true;
  say(root().querySelector("[data-stale]") ? "stale" : "live");
}

// `why` is the error's code, or "silence" where callctl did not answer at all.
function sayLost(why) {
  root().querySelector("[data-part=state]")?.replaceChildren();
  document.querySelector("[data-stream-since]").textContent = shownAt;
  const becauses = [...lost.querySelectorAll("[data-lost-because]")];
  const known = becauses.some((text) => text.dataset.lostBecause === why);
  for (const text of becauses) text.hidden = text.dataset.lostBecause !== (known ? why : "error");
  lost.hidden = false;
  say(why === "silence" ? "lost" : "stale");
}

// Not under somebody's fingers: what has the focus, or is open, stays as it is.
const busy = (element) =>
  element.contains(document.activeElement) || element.matches(":popover-open") || element.querySelector(":popover-open") !== null;

function replace(old, fresh) {
  for (const details of old.querySelectorAll("details[id][open]")) {
    const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (same) same.open = true;
  }
  old.replaceWith(document.adoptNode(fresh));
}

function gone(old) {
  if (!busy(old)) return old.remove();
  const note = old.querySelector("[data-over]");
  if (!note) return old.remove();
  note.hidden = false;
  for (const form of old.querySelectorAll("form")) form.remove();
}

// Rows by their key; of the row that is busy, cell by cell.
function renewRows(old, fresh) {
  const rows = new Map([...old.children].map((row) => [row.dataset.key, row]));
  let before = null;
  for (const row of [...fresh.children]) {
    const known = rows.get(row.dataset.key);
    rows.delete(row.dataset.key);
    if (!known) {
      const added = document.adoptNode(row);
      if (before) before.after(added);
      else old.prepend(added);
      before = added;
    } else if (!busy(known)) {
      replace(known, row);
      before = row;
    } else {
      if (known.matches("tr")) [...known.cells].forEach((cell, n) => busy(cell) || (row.cells[n] && replace(cell, row.cells[n].cloneNode(true))));
      before = known;
    }
  }
  for (const row of rows.values()) gone(row);
}

function renew(shown, fresh) {
  const parts = new Map([...fresh.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  if (parts.size !== shown.querySelectorAll("[data-part]").length && !busy(shown)) return replace(shown, fresh);
  for (const old of [...shown.querySelectorAll("[data-part]")]) {
    const part = parts.get(old.dataset.part);
    if (!part) continue;
    if (!busy(old)) {
      replace(old, part);
      continue;
    }
    const keys = (element) => (element.matches("[data-keys]") ? element : element.querySelector("[data-keys]"));
    if (keys(old) && keys(part)) renewRows(keys(old), keys(part));
    else if (keys(old)) [...keys(old).children].forEach(gone);
  }
}

async function refresh() {
  waiting = null;
  asked = Date.now();
  try {
    const answer = await fetch(root().dataset.live, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.redirected) return window.location.assign(answer.url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!fresh) return sayLost(page.querySelector("[data-error]")?.dataset.error);
    renew(root(), fresh);
    sayShown();
    if (events.readyState === EventSource.CLOSED && Date.now() - followedAt >= AT_LEAST_EVERY_MS) follow();
  } catch {
    sayLost("silence");
  }
}

function soon() {
  waiting ??= setTimeout(refresh, Math.max(0, asked + AT_MOST_EVERY_MS - Date.now()));
}

const kinds = ["call.ringing", "call.answered", "call.ended", "call.changed", "lost"];
let events;
let followedAt = 0;

// After an answer that is an error (no database, too many streams, no right to it) the browser does
// not open it again by itself; nor do we at once, since each refusal has the page asked for again.
function follow() {
  followedAt = Date.now();
  events = new EventSource("/api/v1/events");
  for (const kind of kinds) events.addEventListener(kind, soon);
  events.addEventListener("open", soon);
  events.addEventListener("error", soon);
}

// What was refused is said where it was tried.
document.querySelector("[popover][data-open]")?.showPopover();

follow();
window.addEventListener("offline", () => sayLost("silence"));
window.addEventListener("online", soon);
setInterval(soon, AT_LEAST_EVERY_MS);

setInterval(() => {
  for (const cell of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(cell.dataset.since)) / 1000));
    const [m, s] = [Math.floor(seconds / 60), seconds % 60];
    cell.textContent = `${m}:${String(s).padStart(2, "0")}`;
  }
}, 1000);
