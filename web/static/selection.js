// Ticked rows: what can be done with them says how many they are, and is there only while some are ticked.

const counted = document.querySelectorAll("[data-selected]");

function update() {
  const boxes = [...document.querySelectorAll('input[name="ids"]')];
  const ticked = boxes.filter((box) => box.checked).length;
  for (const each of counted) {
    each.hidden = !ticked;
    const text = `${each.dataset.selected} ${ticked} ${ticked === 1 ? "job" : "jobs"}`;
    if (each.textContent !== text) each.textContent = text; // which is a change that is observed itself
  }
  for (const each of document.querySelectorAll("[data-selected-only]")) {
    each.hidden = !ticked;
    if (!ticked) each.open = false;
  }
  const all = document.querySelector(".select-all");
  if (all) {
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches(".select-all")) {
    for (const box of document.querySelectorAll('input[name="ids"]')) box.checked = event.target.checked;
  }
  if (event.target.matches('.select-all, input[name="ids"]')) update();
});
document.addEventListener("done", (event) => {
  if (event.target.id !== "selected") return;
  for (const box of document.querySelectorAll('input[name="ids"]')) box.checked = false;
  update();
});
// Rows that are done with are taken out of the list, ticked or not.
new MutationObserver(update).observe(document.querySelector("main"), { childList: true, subtree: true });
update();
