// Keeps the keyboard's place when a live update takes the focused element away: it goes to the same element of the row
// that replaced it, else to the next row's link (never to a button: a second Enter would act on another job).

const FOCUSABLE = "a[href], button, summary, input, select, textarea, [tabindex]";
const inside = (root) => [...root.querySelectorAll(FOCUSABLE)];
const nameOf = ({ dataset }) => [dataset.id, dataset.connection, dataset.fingerprint].join("\n");

/** Run `change`, which replaces or removes parts of `root`. */
export function keepFocus(root, change) {
  const focused = document.activeElement;
  if (!root.contains(focused)) return change();
  const row = focused.closest("tr, li");
  const rows = row ? [...row.parentElement.children] : [];
  const known = { name: row && nameOf(row), at: inside(row ?? root).indexOf(focused), of: inside(row ?? root).length };
  const below = rows.slice(rows.indexOf(row) + 1).map(nameOf);
  const above = rows.slice(0, Math.max(0, rows.indexOf(row))).map(nameOf).reverse();
  const section = root.closest("section, main");
  change();
  if (!focused.isConnected || document.activeElement !== focused) (successor() ?? heading()).focus({ preventScroll: true });

  function successor() {
    if (focused.isConnected && !focused.disabled) return focused;
    const there = new Map([...root.querySelectorAll("tr, li")].map((each) => [nameOf(each), each]));
    const same = row ? there.get(known.name) : root;
    const parts = same ? inside(same) : [];
    if (parts.length === known.of) return parts[known.at];
    if (same && row && parts.length) return parts[0];
    const next = [...below, ...above].map((name) => there.get(name)).find(Boolean) ?? (row && root.querySelector("tbody tr, li"));
    return next ? inside(next)[0] : undefined;
  }

  function heading() {
    const place = section?.isConnected ? section.querySelector("h1, h2") : document.querySelector("main h1");
    if (!place) return document.querySelector("main");
    place.tabIndex = -1;
    return place;
  }
}
