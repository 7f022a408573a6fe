// The preview beside the editor: rendered by the service as one types, in the same sandbox that mails are made in.

import { csrf, say } from "./actions.js";
import { complain } from "./forms.js";

const form = document.querySelector("form[data-template]");
const variables = document.querySelector("[data-variables]");
const problem = document.querySelector("[data-problem]");
const frame = document.querySelector("form[data-frame]");
const shown = (name) => document.querySelector(`[data-preview="${name}"]`);
let timer;

function values() {
  const given = JSON.parse(variables.value || "{}");
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw new Error("the values must be a JSON object");
  return given;
}

async function post(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { ...csrf(), "Content-Type": "application/json", Accept: "application/json" },
  });
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.detail), { field: told.field });
  return told;
}

async function preview() {
  try {
    const { subject, text, html } = Object.fromEntries(new FormData(form));
    const made = await post("/api/v1/templates/preview", { subject, text, html, variables: values() });
    shown("subject").textContent = made.subject;
    shown("text").textContent = made.text;
    for (const [name, value] of Object.entries({ subject, text, html, variables: JSON.stringify(made.variables) })) {
      frame.elements[name].value = value;
    }
    frame.submit();
    problem.textContent = "";
  } catch (error) {
    problem.textContent = error.message;
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(preview, 250);
}

form.addEventListener("input", soon);
variables.addEventListener("input", soon);
document.addEventListener("done", () => location.reload());
document.querySelector("form[data-test]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const test = event.target;
  complain(test, null);
  try {
    const told = await post(test.action, { to: test.elements.to.value, variables: values() });
    say(`The test is job ${told.id}.`);
  } catch (error) {
    complain(test, error);
  }
});
preview();
