// Fills the slots of rows that the server's own templates made.

import { segment, suffix } from "./actions.js";
import { keepFocus } from "./focus.js";
import { setTime } from "./times.js";

const number = new Intl.NumberFormat("en");
const LONGEST_LINE = 140;

export const slot = (root, name) => root.querySelector(`[data-slot="${name}"]`);

export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

export function fillCounts(figures, stats) {
  setText(slot(figures, "active"), number.format(stats.processing + stats.queued));
  for (const name of ["processing", "queued", "scheduled", "failed", "active_queues", "workers"]) {
    setText(slot(figures, name), number.format(stats[name]));
  }
  slot(figures, "later").hidden = !stats.scheduled;
  slot(figures, "workers-s").hidden = stats.workers === 1;
  slot(figures, "failed-card").classList.toggle("bad", stats.failed > 0);
  const lanes = slot(figures, "lanes");
  const names = stats.lanes.map((lane) => lane.queue);
  if (names.join("\n") !== [...lanes.children].map((lane) => lane.textContent).join("\n")) {
    lanes.replaceChildren(
      ...names.map((name) => Object.assign(document.createElement("span"), { className: "lane", textContent: name })),
    );
  }
}

/** The status line. Its figures change all the time: a screen reader is told when the situation does. */
export function fillStanding(line, standing) {
  line.className = `standing ${standing.level}`;
  if (line.dataset.level !== standing.level) {
    line.dataset.level = standing.level;
    setText(document.querySelector("[data-announce]"), standing.text);
  }
  setText(slot(line, "text"), standing.text);
  const command = slot(line, "command");
  setText(command, standing.command ?? "");
  command.hidden = !standing.command;
}

function newRow(template, job) {
  const row = document.getElementById(template).content.querySelector("tr").cloneNode(true);
  row.dataset.id = job.id;
  row.dataset.connection = job.connection;
  slot(row, "task").href = `/jobs/${segment(job.id)}${suffix(job.connection)}`;
  return row;
}

function fillActive(row, job) {
  const state = slot(row, "state");
  state.className = `state ${job.state}`;
  setText(state, job.state[0].toUpperCase() + job.state.slice(1));
  for (const name of ["task", "summary", "queue", "connection", "attempts"]) setText(slot(row, name), job[name]);
  setTime(slot(row, "created_at"), job.created_at);
  fillProgress(slot(row, "progress"), job.progress);
}

function fillProgress(place, step) {
  place.hidden = !step;
  if (!step) return;
  const bar = place.querySelector("progress");
  bar.max = step.total;
  bar.value = step.done;
  setText(slot(place, "progress-text"), `${number.format(step.done)} of ${number.format(step.total)} ${step.what}`);
}

function fillFailed(row, job) {
  for (const name of ["task", "summary", "queue", "error", "connection", "driver", "attempts"]) setText(slot(row, name), job[name]);
  const line = (job.message ?? "").split(/\s+/).join(" ").trim();
  setText(slot(row, "message"), line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1)}…` : line);
  setText(slot(row, "trace"), job.trace || "No stack trace: the worker was lost.");
  const repeats = slot(row, "repeats");
  repeats.hidden = job.repeats < 2;
  setText(repeats, `Same failure ${job.repeats} times in a row: retrying is unlikely to help`);
  setTime(slot(row, "failed_at"), job.failed_at);
  if (job.observed) row.querySelector(".actions")?.remove();
  for (const form of row.querySelectorAll("form")) {
    form.action = `/failed/${segment(job.id)}/${form.dataset.action}${suffix(job.connection)}`;
  }
}

// Two connections may have a job of the same id.
const key = (connection, id) => `${connection} ${id}`;
const rowsByJob = (body) => new Map([...body.rows].map((row) => [key(row.dataset.connection, row.dataset.id), row]));

/** The active list, whole: rows that stay keep their element, so focus and selection survive. */
export function showActive(body, jobs) {
  const there = rowsByJob(body);
  const rows = jobs.map((job) => {
    const row = there.get(key(job.connection, job.id)) ?? newRow("active-row", job);
    fillActive(row, job);
    return row;
  });
  const kept = new Set(rows);
  keepFocus(body, () => {
    for (const row of [...body.rows]) if (!kept.has(row)) row.remove();
    rows.forEach((row, place) => body.rows[place] === row || body.insertBefore(row, body.rows[place] ?? null));
  });
}

/** The failed list: newest first, at most `most` rows. What left it is named by the ids of one connection. */
export function showFailed(body, added, removed, most, connection) {
  keepFocus(body, () => fillFailedList(body, added, removed, most, connection));
}

function fillFailedList(body, added, removed, most, connection) {
  const there = rowsByJob(body);
  for (const id of removed) there.get(key(connection, id))?.remove();
  for (const job of [...added].reverse()) {
    there.get(key(job.connection, job.id))?.remove();
    const row = newRow("failed-row", job);
    fillFailed(row, job);
    const failedAt = (other) => slot(other, "failed_at").dateTime;
    body.insertBefore(row, [...body.rows].find((other) => failedAt(other) <= failedAt(row)) ?? null);
  }
  while (body.rows.length > most) body.lastElementChild.remove();
}
