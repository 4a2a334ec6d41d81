// What every page has. Without script all of it still works by links and forms.

document.querySelector("[data-menu]")?.addEventListener("click", (event) => {
  const side = document.getElementById("side");
  const open = side.toggleAttribute("data-open");
  event.currentTarget.setAttribute("aria-expanded", String(open));
});

// Of a menu that is longer than the window, the page one is on is in sight.
document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest" });

// The account's menu lies over the pages: a click beside it or Escape puts it away.
const account = document.querySelector(".me");
document.addEventListener("click", (event) => {
  if (account?.open && !account.contains(event.target)) account.open = false;
});
account?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !account.open) return;
  account.open = false;
  account.querySelector("summary").focus();
});

// "/" goes to the search field, as people expect.
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  const field = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (field) {
    event.preventDefault();
    field.focus();
  }
});

// Choices that apply as soon as they are made; the button is for those without script.
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
});

// What cannot be undone is asked for once more.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A page that came without TLS is given no clipboard: there a field that is selected is copied.
async function copied(text) {
  const written = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (written) return true;
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

// What is copied is said where it was asked for; what is not can still be selected or followed.
document.addEventListener("click", async (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const asked = event.target.closest("[data-copy], [data-copy-link]");
  if (!asked) return;
  event.preventDefault();
  if (await copied(asked.dataset.copy ?? asked.href)) {
    asked.querySelector("[aria-live]").textContent = asked.dataset.copied;
  } else if (asked.href) {
    window.location = asked.href;
  } else {
    asked.parentElement.querySelector("input")?.select();
  }
});

// The side panel: a row opens it, arrows go on to the next row, Escape closes it.
const panel = document.getElementById("panel");
if (panel) {
  let opener = null;
  const links = () => [...document.querySelectorAll("[data-opens-panel]")];
  const close = () => {
    panel.classList.remove("open");
    panel.querySelector(".content").replaceChildren();
    document.querySelector("tr[aria-selected]")?.removeAttribute("aria-selected");
    opener?.focus();
    opener = null;
  };
  const open = async (link) => {
    const answer = await fetch(link.href, { headers: { Accept: "text/html", "HX-Request": "true" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.querySelector("[data-panel]") ?? page.querySelector("main");
    panel.querySelector(".content").replaceChildren(document.adoptNode(part));
    document.querySelector("tr[aria-selected]")?.removeAttribute("aria-selected");
    link.closest("tr")?.setAttribute("aria-selected", "true");
    opener = link;
    panel.classList.add("open");
    panel.scrollTop = 0;
    panel.focus();
    panel.dispatchEvent(new CustomEvent("panel-opened", { bubbles: true }));
  };
  // The browser may refuse, or the panel be closed meanwhile: its button is there then.
  const play = (id) =>
    panel.querySelector(`[data-recording="${CSS.escape(id)}"] audio`)?.play().catch(() => {});
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (event.target.closest("[data-close-panel]")) return close();
    const row = event.target.closest("[data-panel-row]");
    const plays = event.target.closest("[data-plays]");
    if (!row || (!plays && event.target.closest("a, button, input, form, audio") && !event.target.closest("[data-opens-panel]"))) return;
    if (!plays && window.getSelection()?.toString()) return;
    event.preventDefault();
    open(row.querySelector("[data-opens-panel]")).then(() => plays && play(plays.dataset.plays));
  });
  document.addEventListener("keydown", (event) => {
    if (!panel.classList.contains("open") || event.target.closest("input, select, textarea")) return;
    if (event.key === "Escape") close();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (event.target.closest("[role=slider], audio")) return;
      const all = links();
      const next = all[all.indexOf(opener) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) {
        event.preventDefault();
        open(next);
        next.scrollIntoView({ block: "nearest" });
      }
    }
  });
}
