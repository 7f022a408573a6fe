-- One job that PgQueuer holds, the newest of its id. An id that was chosen goes before the number of a job that came by
-- PgQueuer itself, without one. $1: id
SELECT {columns} FROM arqlight_jobs.pgqueuer q
WHERE q.dedupe_key = $1 OR (q.dedupe_key IS NULL AND q.id = CASE WHEN $1 ~ '^[1-9][0-9]{0,17}$' THEN $1::bigint END)
ORDER BY q.dedupe_key NULLS LAST, q.id DESC LIMIT 1
