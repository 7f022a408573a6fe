// Several connections as one: the figures added up, the lists in one order, by the same rules as together.py.

const SUMS = ["processing", "queued", "scheduled", "failed", "active_queues", "workers"];
const LEVELS = ["calm", "busy", "trouble"];
const ACTIVE_ROWS = 10;

const number = new Intl.NumberFormat("en");

/** @param {Map<string, object>} stats by connection */
export function addUp(stats) {
  const several = stats.size > 1;
  const named = (name, lane) => (several ? { ...lane, queue: `${name}: ${lane.queue}` } : lane);
  const total = { lanes: [...stats].flatMap(([name, each]) => each.lanes.map((lane) => named(name, lane))) };
  for (const name of SUMS) total[name] = [...stats.values()].reduce((sum, each) => sum + each[name], 0);
  return total;
}

/** The worst status of all connections; when all are in order and something runs, their common status. */
export function worst(stats) {
  let name, found;
  for (const [each, { standing }] of stats) {
    if (!found || LEVELS.indexOf(standing.level) > LEVELS.indexOf(found.level)) [name, found] = [each, standing];
  }
  if (stats.size === 1 || found.level === "calm") return found;
  if (found.level === "trouble") return { ...found, text: `${name}: ${found.text}` };
  const { processing, queued, failed } = addUp(stats);
  const trouble = failed ? ` ${number.format(failed)} job${failed === 1 ? "" : "s"} failed.` : "";
  return { ...found, text: `${number.format(processing)} running, ${number.format(queued)} waiting.${trouble}` };
}

/** The newest active jobs: running ones first, the newest first within each kind. */
export function mergeActive(lists) {
  const at = (job) => job.started_at ?? job.created_at ?? "";
  const waits = (job) => Number(job.state !== "processing");
  const jobs = lists.flat().sort((a, b) => waits(a) - waits(b) || at(b).localeCompare(at(a)));
  return jobs.slice(0, ACTIVE_ROWS);
}
