// Keeps a page that the server renders up to date: when the feed says that something changed, the parts concerned are
// fetched again and replaced. A part in which somebody types, or has something open, is replaced later.

import { keepFocus } from "./focus.js";
import { tickAll } from "./times.js";

const PAUSE_MS = 700;
let timer;
let underway = false;
let again = false;

function isBusy(part) {
  const typing = part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  return typing || part.querySelector("details.confirm[open], details.card[open], input:checked") !== null;
}

export async function refresh() {
  if (underway) return void (again = true);
  underway = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-refresh]")) {
      const fresh = page.querySelector(`[data-refresh="${part.dataset.refresh}"]`);
      if (fresh && fresh.innerHTML !== part.dataset.shown && !isBusy(part)) {
        part.dataset.shown = fresh.innerHTML;
        keepFocus(part, () => part.replaceChildren(...fresh.childNodes));
      }
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

export function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE_MS);
}
