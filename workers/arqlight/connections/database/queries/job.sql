-- One job that PgQueuer holds, the newest of its id. $1: id
SELECT {columns} FROM arqlight_jobs.pgqueuer q
WHERE q.dedupe_key = $1 OR (q.dedupe_key IS NULL AND q.id = CASE WHEN $1 ~ '^[0-9]{1,18}$' THEN $1::bigint END)
ORDER BY q.id DESC LIMIT 1
