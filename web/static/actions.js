// The actions of a row: show its trace, copy it, retry, delete. Without this file the forms still work.

const toast = document.querySelector(".toast");
let toastTimer;

/**
 * @param {string} text
 * @param {boolean} stays until the next message: a secret that is shown once
 * @param {string} address of a page with more, if there is one
 */
export function say(text, stays = false, address = "") {
  toast.textContent = text;
  if (address) toast.append(" ", Object.assign(document.createElement("a"), { href: address, textContent: "View" }));
  toast.hidden = false;
  clearTimeout(toastTimer);
  if (!stays) toastTimer = setTimeout(() => (toast.hidden = true), 5_000);
}

/** The query that selects a connection; empty for the first one. */
export const suffix = (connection) =>
  !connection || connection === "default" ? "" : `?connection=${encodeURIComponent(connection)}`;

/** What stands in an address for a name; a segment of dots would be taken out of it (`api/paths.py` does the same). */
export const segment = (name) => encodeURIComponent(/^\.{1,2};*$/.test(name) ? `${name};` : name);

/** The CSRF header of a change; empty when nobody signs in. */
export const csrf = () => {
  const token = document.querySelector('meta[name="csrf"]')?.content;
  return token ? { "X-CSRF-Token": token } : {};
};

async function act(form) {
  const row = form.closest("tr, article");
  const id = row.dataset.id ?? row.dataset.job;
  const retry = form.dataset.action === "retry";
  const address = `/api/v1/failed/${segment(id)}${retry ? "/retry" : ""}${suffix(row.dataset.connection)}`;
  // The one that was pressed stays enabled: a disabled one loses the keyboard's focus.
  if ("busy" in row.dataset) return;
  row.dataset.busy = "";
  const buttons = [...row.querySelectorAll("button")].filter((button) => button !== document.activeElement);
  buttons.forEach((button) => (button.disabled = true));
  try {
    const answer = await fetch(address, { method: retry ? "POST" : "DELETE", headers: csrf() });
    const problem = answer.ok ? null : await answer.json();
    // Somebody else was faster: said only when the answer is about this very job.
    if (problem && !(answer.status === 404 && problem.job === id)) throw new Error(problem.detail);
    say(problem ? "It is no longer in the failed list." : retry ? "Back in its queue." : "Deleted permanently.");
    row.dispatchEvent(new CustomEvent("acted", { bubbles: true, detail: { id, retry, connection: row.dataset.connection } }));
  } catch (error) {
    say(`${retry ? "Not retried" : "Not deleted"}: ${error.message}`);
    buttons.forEach((button) => (button.disabled = false));
  } finally {
    delete row.dataset.busy;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-action]");
  if (!form) return;
  event.preventDefault();
  act(form);
});

document.addEventListener("click", async (event) => {
  const target = event.target;
  if (target.closest(".keep")) target.closest("details").open = false;
  if (target.closest(".copy")) {
    const text = target.closest(".sheet").querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
      say("Stack trace copied.");
    } catch {
      say("The browser does not allow copying here; select the text instead.");
    }
  }
  // A tap opens the sheet, and a tap elsewhere closes it: touch screens have neither hover nor keyboard focus.
  const trace = target.closest(".trace");
  document.querySelectorAll(".trace.open").forEach((open) => open === trace || setOpen(open, false));
  const button = target.closest(".error");
  if (button) setOpen(trace, !trace.classList.contains("open"));
  document.querySelectorAll("details.confirm[open]").forEach((open) => open.contains(target) || (open.open = false));
});

function setOpen(trace, open) {
  trace.classList.toggle("open", open);
  trace.classList.remove("shut");
  trace.querySelector(".error").setAttribute("aria-expanded", String(open));
}

// WCAG 1.4.13: content shown on hover or focus can be dismissed without moving either.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.confirm[open]").forEach((open) => (open.open = false));
  document.querySelectorAll(".trace").forEach((trace) => {
    if (trace.matches(":hover, :focus-within, .open")) {
      setOpen(trace, false);
      trace.classList.add("shut");
    }
  });
});
for (const name of ["pointerout", "focusout"]) {
  document.addEventListener(name, (event) => {
    const trace = event.target.closest?.(".trace.shut");
    if (trace && !trace.contains(event.relatedTarget)) trace.classList.remove("shut");
  });
}
