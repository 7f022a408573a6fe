// Keeps a page that the server renders up to date: when the feed says that something changed, the parts concerned are
// fetched again and replaced. A part in which somebody types, or has something open, is replaced later.

import { keepFocus } from "./focus.js";
import { release, whenFree } from "./hold.js";
import { tickAll } from "./times.js";

const PAUSE_MS = 700;
let timer;
let underway = false;
let again = false;

/** Whether somebody types in it, or reads what they opened: it stays until the next change. */
function isBusy(part) {
  const typing = part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), textarea, select");
  return typing || part.querySelector("details.card[open]") !== null;
}

/** @param {boolean} isOwn whether somebody here asked for what changed: it is shown where the pointer is, too */
export async function refresh(isOwn = false) {
  if (underway) return void (again = true);
  underway = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-refresh]")) {
      const fresh = page.querySelector(`[data-refresh="${part.dataset.refresh}"]`);
      if (!fresh || fresh.innerHTML === part.dataset.shown || isBusy(part)) continue;
      const replace = () => {
        part.dataset.shown = fresh.innerHTML;
        const places = scrolled(part);
        keepFocus(part, () => part.replaceChildren(...fresh.childNodes));
        scrollTo(part, places);
        tickAll();
      };
      const rows = part.querySelector("tbody") ?? part;
      if (isOwn) {
        release(rows);
        replace();
      } else whenFree(rows, replace, { key: "fresh" });
    }
    tickAll();
  } finally {
    underway = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

/** Where each scrolled part of `root` stands, and whether that is its end, which is followed. */
const scrolled = (root) =>
  [...root.querySelectorAll("*")]
    .filter((each) => each.scrollTop > 0)
    .map((each) => ({ path: pathOf(root, each), top: each.scrollTop, isEnd: each.scrollTop + each.clientHeight >= each.scrollHeight - 2 }));

function pathOf(root, element) {
  const path = [];
  for (let each = element; each !== root; each = each.parentElement) path.unshift([...each.parentElement.children].indexOf(each));
  return path;
}

function scrollTo(root, places) {
  for (const { path, top, isEnd } of places) {
    const element = path.reduce((each, place) => each?.children[place], root);
    if (element) element.scrollTop = isEnd ? element.scrollHeight : top;
  }
}

export function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE_MS);
}
