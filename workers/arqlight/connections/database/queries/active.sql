-- The last active jobs: those that run, the last started first, then those that wait, the last enqueued first.
-- $1: how many
(SELECT 0 AS part, {columns} FROM arqlight_jobs.pgqueuer q WHERE q.status = 'picked'
    ORDER BY q.updated DESC, q.id DESC LIMIT $1)
UNION ALL
(SELECT 1, {columns} FROM arqlight_jobs.pgqueuer q WHERE q.status = 'queued' AND q.execute_after <= now()
    ORDER BY q.id DESC LIMIT $1)
ORDER BY part
LIMIT $1
