// Forms of the API: sent without leaving the page; errors are shown beside them.
// Without this file they still work: the service answers a form with the page it came from.

import { say, segment } from "./actions.js";

/** What was done, for whoever did it. @param {object} told the answer  @param {Element} submitter */
function outcome(told, submitter) {
  if (told.kind && "total" in told) {
    const jobs = told.total === 1 ? "job" : "jobs";
    return [`${told.kind === "retry" ? "Retrying" : "Deleting"} ${told.total.toLocaleString("en")} ${jobs}.`, "/failed#operations-title"];
  }
  return [`${submitter?.textContent.trim() || "Sent"}: done.`, ""];
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form));
  if (submitter?.name) body.append(submitter.name, submitter.value);
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
  const told = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.detail), { field: told.field });
  return told;
}

/** Show the error under the form, and mark the field. */
export function complain(form, error) {
  let line = form.querySelector(".form-error");
  if (!line) form.append((line = Object.assign(document.createElement("p"), { className: "form-error", role: "alert" })));
  line.textContent = error?.message ?? "";
  for (const input of form.elements) {
    const wrong = Boolean(error?.field) && input.name === error.field.split(/[.[]/)[0];
    input.toggleAttribute?.("aria-invalid", wrong);
    if (wrong) input.focus();
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-api]");
  if (!form) return;
  event.preventDefault();
  complain(form, null);
  try {
    const told = await send(form, event.submitter);
    form.dataset.sent = "";
    if (form.dataset.show) say(`${form.dataset.title ?? ""}${told[form.dataset.show]}`, Boolean(form.dataset.title));
    else {
      const [text, address] = outcome(told, event.submitter);
      say(text, false, address);
    }
    const open = form.closest("details.confirm");
    if (open) open.open = false;
    if (form.dataset.next) location.assign(form.dataset.next.replace("{id}", segment(told.id)));
    else form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: told }));
  } catch (error) {
    complain(form, error);
  }
});
