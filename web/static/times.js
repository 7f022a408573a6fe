// Relative times that tick. The exact time stays in the title, in the reader's own zone and in UTC.

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });

function ago(moment) {
  const seconds = (moment - Date.now()) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
  }
  return seconds <= 0 ? "just now" : "in a moment";
}

/** @param {HTMLTimeElement} element  @param {string | null} iso */
export function setTime(element, iso) {
  if (!iso) {
    element.removeAttribute("datetime");
    element.textContent = "—";
    return;
  }
  element.dateTime = iso;
  tick(element);
}

function tick(element) {
  const moment = new Date(element.dateTime);
  element.title = `${moment.toLocaleString()} (${element.dateTime})`;
  const text = ago(moment);
  if (element.textContent !== text) element.textContent = text;
}

export function tickAll() {
  document.querySelectorAll("time[datetime]").forEach(tick);
}

setInterval(tickAll, 5_000);
