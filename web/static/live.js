// Keeps the page up to date: subscribes to the topics that the page shows, and fills in what comes.

import "./actions.js";
import "./forms.js";
import { keepFocus } from "./focus.js";
import { whenFree } from "./hold.js";
import { Feed } from "./feed.js";
import { fillCounts, fillStanding, showActive, showFailed } from "./rows.js";
import { refresh, soon } from "./refresh.js";
import { addUp, mergeActive, worst } from "./together.js";
import { tickAll } from "./times.js";

const indicator = document.querySelector(".live");
const figures = document.querySelector('[data-live="counts"]');
const article = document.querySelector("article[data-job]");
const here = article?.dataset.connection ?? document.querySelector("main").dataset.connection;

const feeds = new Set();
const lost = new Map();
let silent = [];

function follow(topics, cursor, onFrame, connection = here) {
  const feed = new Feed([...topics, "connections"], cursor, connection);
  feed.addEventListener("frame", ({ detail: frame }) => {
    if (frame.topic === "connections") showConnections(frame.data);
    else onFrame(frame);
  });
  feed.addEventListener("state", ({ detail: { state, wait } }) => {
    if (state === "on") lost.delete(connection);
    else lost.set(connection, wait);
    feeds.add(connection);
    indicate();
  });
}

/** What the reader can rely on: whether the feed is there, and whether the servers behind it answer. */
function indicate() {
  const isLost = lost.size > 0 && lost.size === feeds.size;
  const seconds = Math.max(1, Math.round(Math.min(...lost.values()) / 1000));
  const away = silent.length > 0 && silent.length >= feeds.size;
  indicator.dataset.feed = isLost || away ? "lost" : "on";
  indicator.querySelector("[data-text]").textContent = isLost
    ? `Live updates lost, reconnecting in ${seconds} s`
    : away
      ? "Not live: the server does not answer"
      : ["Live", ...new Set([...lost.keys(), ...silent])].join(", not ");
}

/** Shows each connection that is down, with the reason. */
function showConnections(connections) {
  const place = document.querySelector('[data-live="connections"]');
  const shown = [...feeds];
  silent = connections.filter((each, n) => !each.ok && shown.some((name) => (name || connections[0].name) === each.name)).map((each) => each.name);
  indicate();
  const said = connections.map((each) => (each.ok ? each.warning : each.detail)).filter(Boolean);
  if (said.join("\n") === [...place.children].map((line) => line.textContent).join("\n")) return;
  place.replaceChildren(
    ...said.map((textContent) =>
      Object.assign(document.createElement("p"), { className: "standing trouble", role: "status", textContent }),
    ),
  );
}

function followDashboard() {
  const standing = document.querySelector('[data-live="standing"]');
  const active = document.querySelector('[data-live="active"]').tBodies[0];
  const failed = document.querySelector('[data-live="failed"]').tBodies[0];
  const more = document.querySelector('[data-more="failed"]');
  const most = Number(more.dataset.rows);
  const empty = (name) => document.querySelector(`[data-empty="${name}"]`);
  const cursors = JSON.parse(figures.dataset.cursors);
  const names = Object.keys(cursors);
  const alone = names.length === 1;
  const stats = new Map();
  const running = new Map();
  let total = failed.rows.length;

  const settle = () => {
    empty("active").hidden = active.rows.length > 0;
    empty("failed").hidden = total > 0 || failed.rows.length > 0;
    more.hidden = total <= failed.rows.length;
  };
  document.addEventListener("acted", ({ detail: { id, connection } }) => {
    showFailed(failed, [], [id], most, connection);
    settle();
  });
  const onFrame = (connection) => (frame) => {
    if (frame.topic === "counts") {
      stats.set(connection, frame.data);
      const sum = addUp(stats);
      total = sum.failed;
      fillCounts(figures, sum);
      fillStanding(standing, worst(stats));
    } else if (frame.topic === "active") {
      running.set(connection, frame.data);
      const jobs = alone ? frame.data : mergeActive([...running.values()]);
      whenFree(active, () => (showActive(active, jobs), settle()), { key: "active" });
    } else if (frame.topic === "failed" && frame.type === "snapshot") {
      whenFree(failed, () => {
        const shown = new Set(frame.data.map((job) => job.id));
        const there = [...failed.rows].filter((row) => row.dataset.connection === connection);
        const gone = there.map((row) => row.dataset.id).filter((id) => !shown.has(id));
        showFailed(failed, frame.data, gone, most, connection);
        settle();
      });
    } else if (frame.topic === "failed") {
      const { added, removed } = frame.data;
      const change = () => {
        showFailed(failed, added, removed, most, connection);
        refill(failed, most, () => total, names);
        settle();
      };
      whenFree(failed, change, { count: added.length });
    }
    settle();
  };
  // The page was rendered at the instant of its cursor, so the feed continues from there. With several connections each
  // feed begins with its own figures, which are added up.
  for (const name of names) {
    follow(["counts", "active", "failed"], alone ? cursors[name] : null, onFrame(name), name);
  }
}

// Rows that were removed make room for older ones, which the page does not have.
let refilling;
function refill(failed, most, total, connections) {
  clearTimeout(refilling);
  refilling = setTimeout(async () => {
    if (failed.rows.length >= Math.min(most, total())) return;
    for (const connection of connections) {
      const answer = await fetch(`/api/v1/failed?limit=${most}&connection=${encodeURIComponent(connection)}`);
      if (!answer.ok) continue;
      const { items } = await answer.json();
      whenFree(failed, () => showFailed(failed, items, [], most, connection));
    }
  }, 400);
}

/** A job's page: when the job changes, its parts are fetched again. */
function followJob() {
  let shown;
  follow([`job:${article.dataset.job}`], null, (frame) => {
    const data = JSON.stringify(frame.data);
    if (!frame.topic || data === shown) return;
    shown = data;
    soon();
  });
}

/** A page that the server renders: what changed is fetched again. */
function followPage(topics) {
  let known = false;
  follow(topics, null, (frame) => {
    if (frame.type === "snapshot") {
      // The page was rendered a moment ago: fetch once when all topics are subscribed, in case something changed since.
      if (!known) soon();
      known = true;
    } else if (frame.type === "change") soon();
  });
}

tickAll();
const topics = (document.querySelector("main").dataset.topics ?? "").split(",").filter(Boolean);
document.addEventListener("done", () => refresh(true));
document.addEventListener("acted", () => article && soon());
if (figures) followDashboard();
else if (article) followJob();
else if (topics.length) followPage(topics);
if (!figures && !article) document.addEventListener("acted", (event) => {
    const row = event.target.closest("tr");
    if (row) keepFocus(row.parentElement, () => row.remove());
  });
