// Several connections as one: the figures added up, the lists in one order, by the same rules as together.py.

const SUMS = ["processing", "queued", "scheduled", "failed", "active_queues", "workers"];
const LEVELS = ["calm", "busy", "trouble"];
const ACTIVE_ROWS = 10;

export function addUp(stats) {
  const total = { lanes: stats.flatMap((each) => each.lanes) };
  for (const name of SUMS) total[name] = stats.reduce((sum, each) => sum + each[name], 0);
  return total;
}

/** The worst of what is said of each connection. @param {Map<string, object>} stats by connection */
export function worst(stats) {
  let name, found;
  for (const [each, { standing }] of stats) {
    if (!found || LEVELS.indexOf(standing.level) > LEVELS.indexOf(found.level)) [name, found] = [each, standing];
  }
  return stats.size > 1 && found.level !== "calm" ? { ...found, text: `${name}: ${found.text}` } : found;
}

/** The last active jobs: those that run first, each kind with the newest first. */
export function mergeActive(lists) {
  const at = (job) => job.started_at ?? job.created_at ?? "";
  const waits = (job) => Number(job.state !== "processing");
  const jobs = lists.flat().sort((a, b) => waits(a) - waits(b) || at(b).localeCompare(at(a)));
  return jobs.slice(0, ACTIVE_ROWS);
}
