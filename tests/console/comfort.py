"""Whether a page can be worked with by keyboard alone, and whether it stays where it was drawn."""

import asyncio

from playwright.async_api import Page

_MOVED = """
async () => {
  const found = [];
  const watch = new PerformanceObserver((list) => found.push(...list.getEntries()));
  watch.observe({type: 'layout-shift', buffered: true});
  // What arrives after the page is drawn, too: no more is asked for, and it has been drawn.
  const asked = () => performance.getEntriesByType('resource').length;
  for (let before = -1, still = 0; still < 5; before = asked()) {
    await new Promise(requestAnimationFrame);
    still = before === asked() ? still + 1 : 0;
  }
  found.push(...watch.takeRecords());
  const unasked = found.filter((shift) => !shift.hadRecentInput);
  return [unasked.reduce((sum, shift) => sum + shift.value, 0), unasked.flatMap((shift) =>
    shift.sources.slice(0, 2).map((one) => [
      (one.node?.outerHTML ?? one.node?.textContent ?? '').slice(0, 120),
      one.previousRect.y, one.currentRect.y, one.previousRect.height, one.currentRect.height]))];
}
"""
MOST_MOVED = 0.02
"""Of the layout's shifts, whose measure is the share of the window times the distance moved."""


async def moved(page: Page) -> list[object]:
    """What has moved since the page was loaded, if that is too much: a person would click beside
    what was meant."""
    total, sources = await page.evaluate(_MOVED)
    return [round(total, 3), *sources[:6]] if total >= MOST_MOVED else []


_PREPARE = """
() => {
  // Three rows are as good as fifty.
  for (const body of document.querySelectorAll('main tbody'))
    [...body.rows].slice(3).forEach((row) => row.remove());
  for (const list of document.querySelectorAll('main ul, main .checks'))
    [...list.children].slice(12).forEach((item) => item.remove());
  const looks = (e) => [e, e.parentElement].map((one) => {
    const s = getComputedStyle(one);
    return [s.outlineStyle === 'none' ? '' : s.outlineWidth + s.outlineColor, s.boxShadow].join();
  }).join();
  const groups = new Set();
  const stops = [...document.querySelectorAll('main :is(a[href], button, input, select, textarea, '
    + 'summary, audio[controls], [tabindex])')].filter((e) => {
      if (e.tabIndex < 0 || e.disabled || e.type === 'hidden'
        || !e.checkVisibility({visibilityProperty: true})) return false;
      if (e.type !== 'radio') return true;
      // One of them has the focus for all; the arrows go on.
      const all = [...document.querySelectorAll(`input[type=radio][name="${CSS.escape(e.name)}"]`)]
        .filter((one) => one.form === e.form);
      return e === (all.find((one) => one.checked) ?? all[0]);
    });
  const before = new Map(stops.map((e) => [e, looks(e)]));
  const state = window.walked = {stops, order: [], unseen: []};
  document.addEventListener('focusin', ({target}) => {
    if (!target.closest('main') || target.matches('main')) return;
    state.order.push(target);
    const shows = before.has(target) ? looks(target) !== before.get(target)
      : getComputedStyle(target).outlineStyle !== 'none';
    if (!shows || !target.checkVisibility({opacityProperty: !target.matches('.seek')}))
      state.unseen.push(target);
  });
  const main = document.querySelector('main');
  main.tabIndex = -1;
  main.focus();
  // A date with its time has six fields within, a player its own.
  return stops.length + 1 + 6 * stops.filter((e) => /date|time/.test(e.type)).length
    + 10 * stops.filter((e) => e.matches('audio')).length;
}
"""
_WALKED = """
() => {
  const {stops, order, unseen} = window.walked;
  const text = (e) => e.outerHTML.slice(0, 140);
  const met = [...new Set(order)].filter((e) => stops.includes(e));
  const found = {};
  const note = (name, all) => { if (all.length) found[name] = all.slice(0, 3).map(text); };
  note('never reached', stops.filter((e) => !order.includes(e)));
  note('no focus to be seen', unseen);
  note('out of turn', met.filter((e, n) => n && met[n - 1].compareDocumentPosition(e)
    & Node.DOCUMENT_POSITION_PRECEDING));
  note('does not let go', stops.length > 1 && document.activeElement === order.at(-2) ?
    [document.activeElement] : []);
  return found;
}
"""


async def kept_from_keys(page: Page) -> dict[str, list[str]]:
    """What somebody without a mouse does not reach, or is not shown, or is held by."""
    steps = await page.evaluate(_PREPARE)
    # Without waiting for each: it is one key after the other all the same.
    await asyncio.gather(*(page.keyboard.press("Tab") for _ in range(steps)))
    found: dict[str, list[str]] = await page.evaluate(_WALKED)
    return found
