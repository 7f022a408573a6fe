// While somebody's pointer, focus or selection is in a list, or a menu is open there, what changes in it waits: no row
// moves under a click. A button above the list says how much waits, and shows it; so does leaving the list.

const waiting = new Map(); // list -> { changes: Map, bar }
let byMouse = true;

/** Whether somebody is in the rows of a list. @param {Element} rows */
export function isHeld(rows) {
  const selection = document.getSelection();
  return (
    (byMouse && rows.matches(":hover")) ||
    (rows.contains(document.activeElement) && document.activeElement !== rows) ||
    (selection && !selection.isCollapsed && rows.contains(selection.anchorNode)) ||
    rows.querySelector("details[open], .trace.open, input:checked") !== null
  );
}

/**
 * Change a list now, or when nobody is in it any more.
 * @param {Element} rows of the list
 * @param {() => void} apply makes the change
 * @param {{key?: unknown, count?: number}} of a change with the same key as one that waits replaces it; how many are new
 */
export function whenFree(rows, apply, { key = {}, count = 0 } = {}) {
  const held = waiting.get(rows);
  if (!held && !isHeld(rows)) return apply();
  const list = held ?? { changes: new Map(), bar: newBar(rows) };
  waiting.set(rows, list);
  list.changes.delete(key);
  list.changes.set(key, { apply, count });
  const fresh = [...list.changes.values()].reduce((sum, each) => sum + each.count, 0);
  list.bar.firstChild.textContent = fresh ? `${fresh} new: show` : "Changed: show";
}

/** Make what waits for a list. */
export function release(rows) {
  const list = waiting.get(rows);
  if (!list) return;
  waiting.delete(rows);
  const hadFocus = list.bar.contains(document.activeElement);
  for (const { apply } of list.changes.values()) apply();
  list.bar.remove();
  if (hadFocus) focusHeading(rows);
}

function newBar(rows) {
  const bar = Object.assign(document.createElement("p"), { className: "held" });
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.addEventListener("click", () => release(rows));
  bar.append(button);
  (rows.closest("table") ?? rows).before(bar);
  return bar;
}

function focusHeading(rows) {
  const heading = rows.closest("section, main")?.querySelector("h1, h2");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

function look() {
  for (const rows of [...waiting.keys()]) if (!rows.isConnected || !isHeld(rows)) release(rows);
}

document.addEventListener("pointermove", (event) => (byMouse = event.pointerType !== "touch"), { passive: true });
document.addEventListener("pointerdown", (event) => (byMouse = event.pointerType !== "touch"), { passive: true });
for (const name of ["pointerover", "pointerout", "focusin", "focusout", "selectionchange", "toggle", "change", "click"]) {
  document.addEventListener(name, () => waiting.size && requestAnimationFrame(look), { capture: true, passive: true });
}
document.documentElement.addEventListener("pointerleave", () => waiting.size && setTimeout(look, 50));
