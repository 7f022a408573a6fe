// Draws the figures with uPlot (vendored); the page has the same figures as a table.

import uPlot from "./vendor/uplot/uPlot.esm.js";

const AGAIN_MS = 20_000;
const address = new URL("/api/v1/charts", location.href);
address.search = location.search;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const CHARTS = {
  throughput: [["Succeeded", "succeeded", "--good"], ["Failed", "failed", "--bad"]],
  wait: [["p50", "wait_p50_ms", "--good"], ["p95", "wait_p95_ms", "--wait"], ["p99", "wait_p99_ms", "--accent"]],
  run: [["p50", "run_p50_ms", "--good"], ["p95", "run_p95_ms", "--wait"], ["p99", "run_p99_ms", "--accent"]],
};
const drawn = new Map();

function options(name, width) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const series = CHARTS[name].map(([label, , tone]) => ({
    label, stroke: colour(tone), width: 2, points: { size: 4 }, spanGaps: false,
  }));
  return { width, height: 220, axes: [axis, { ...axis, size: 60 }], scales: { y: { range: fromZero } }, padding: [12, 24, 0, 0], series: [{}, ...series], cursor: { drag: { x: false } } };
}

/** An axis of amounts begins at nothing, and ends above the largest. */
const fromZero = (chart, least, most) => [0, Math.max((most ?? 0) * 1.1, 1)];

function draw({ points }) {
  const times = points.map((point) => Date.parse(point.at) / 1000);
  for (const [name, series] of Object.entries(CHARTS)) {
    const place = document.querySelector(`[data-chart="${name}"]`);
    const data = [times, ...series.map(([, field]) => points.map((point) => point[field]))];
    if (drawn.has(name)) drawn.get(name).setData(data);
    else drawn.set(name, new uPlot(options(name, place.clientWidth), data, place));
  }
}

async function load() {
  try {
    const answer = await fetch(address);
    if (answer.ok) draw(await answer.json());
  } catch {
    // The service is away, which the page says already; the next look is in a moment.
  }
}

addEventListener("resize", () => {
  for (const [name, chart] of drawn) {
    chart.setSize({ width: document.querySelector(`[data-chart="${name}"]`).clientWidth, height: 220 });
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of drawn.values()) chart.destroy();
  drawn.clear();
  load();
});
await load();
setInterval(load, AGAIN_MS);
