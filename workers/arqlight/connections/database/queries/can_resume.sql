-- Whether all that came behind a place is still there. $1: the place, $2: when its entry was written in ms (0: not known),
-- $3::bigint: how many entries are kept
SELECT $1::bigint <= coalesce(max(id), 0) AND $1 >= coalesce(min(id), 0) - 1 AND $1 > coalesce(max(id), 0) - $3::bigint
    AND ($2::bigint = 0 OR EXISTS (SELECT FROM arqlight_jobs.pgqueuer_log
        WHERE id = $1 AND floor(extract(epoch FROM created) * 1000)::bigint = $2))
FROM arqlight_jobs.pgqueuer_log
