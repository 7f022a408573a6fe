-- The last lines of a job's log, the oldest first. $1: number, $2: how many
SELECT line FROM (
    SELECT place, line FROM arqlight_jobs.lines WHERE number = $1 ORDER BY place DESC LIMIT $2
) last ORDER BY place
