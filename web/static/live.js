// Keeps the page true: subscribes to the feed for what the page shows, and fills it in.

import "./actions.js";
import "./forms.js";
import { Feed } from "./feed.js";
import { fillCounts, fillStanding, showActive, showFailed } from "./rows.js";
import { refresh, soon } from "./refresh.js";
import { tickAll } from "./times.js";

const indicator = document.querySelector(".live");
const figures = document.querySelector('[data-live="counts"]');
const article = document.querySelector("article[data-job]");

function follow(topics, cursor, onFrame) {
  const feed = new Feed(topics, cursor);
  feed.addEventListener("frame", ({ detail: frame }) => onFrame(frame));
  feed.addEventListener("state", ({ detail: { state, wait } }) => {
    indicator.dataset.feed = state;
    indicator.querySelector("[data-text]").textContent =
      state === "on" ? "Live" : `Live updates lost, reconnecting in ${Math.max(1, Math.round(wait / 1000))} s`;
  });
}

function followDashboard() {
  const standing = document.querySelector('[data-live="standing"]');
  const active = document.querySelector('[data-live="active"]').tBodies[0];
  const failed = document.querySelector('[data-live="failed"]').tBodies[0];
  const more = document.querySelector('[data-more="failed"]');
  const most = Number(more.dataset.rows);
  const empty = (name) => document.querySelector(`[data-empty="${name}"]`);
  let total = failed.rows.length;

  const settle = () => {
    empty("active").hidden = active.rows.length > 0;
    empty("failed").hidden = total > 0 || failed.rows.length > 0;
    more.hidden = total <= failed.rows.length;
  };
  document.addEventListener("acted", ({ detail: { id } }) => {
    showFailed(failed, [], [id], most);
    settle();
  });
  // The page was rendered at the same instant as its cursor: the feed goes on from there.
  follow(["counts", "active", "failed"], figures.dataset.cursor, (frame) => {
    if (frame.topic === "counts") {
      total = frame.data.failed;
      fillCounts(figures, frame.data);
      fillStanding(standing, frame.data.standing);
    } else if (frame.topic === "active") {
      showActive(active, frame.data);
    } else if (frame.topic === "failed" && frame.type === "snapshot") {
      const shown = new Set(frame.data.map((job) => job.id));
      const gone = [...failed.rows].map((row) => row.dataset.id).filter((id) => !shown.has(id));
      showFailed(failed, frame.data, gone, most);
    } else if (frame.topic === "failed") {
      showFailed(failed, frame.data.added, frame.data.removed, most);
      refill(failed, most, () => total);
    }
    settle();
  });
}

// Rows that left make room for older ones the page has not got.
let refilling;
function refill(failed, most, total) {
  clearTimeout(refilling);
  refilling = setTimeout(async () => {
    if (failed.rows.length >= Math.min(most, total())) return;
    const answer = await fetch(`/api/v1/failed?limit=${most}`);
    if (answer.ok) showFailed(failed, (await answer.json()).items, [], most);
  }, 400);
}

/** A job's page: as it moves, its parts are fetched again. */
function followJob() {
  let shown;
  follow([`job:${article.dataset.job}`], null, (frame) => {
    const data = JSON.stringify(frame.data);
    if (!frame.topic || data === shown) return;
    shown = data;
    soon();
  });
}

/** A page that the server renders: what moved is fetched again. */
function followPage(topics) {
  let known = false;
  follow(topics, null, (frame) => {
    if (frame.type === "snapshot") {
      // The page was rendered a moment before: one look when all topics stand, in case something moved in between.
      if (!known) soon();
      known = true;
    } else if (frame.type === "change") soon();
  });
}

tickAll();
const topics = (document.querySelector("main").dataset.topics ?? "").split(",").filter(Boolean);
document.addEventListener("done", refresh);
document.addEventListener("acted", () => article && soon());
if (figures) followDashboard();
else if (article) followJob();
else if (topics.length) followPage(topics);
if (!figures && !article) document.addEventListener("acted", (event) => event.target.closest("tr")?.remove());
