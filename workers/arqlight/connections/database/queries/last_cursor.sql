-- The place of the newest entry of the log, and when it was written: a database that lost its data counts anew.
SELECT coalesce((SELECT id || '-' || floor(extract(epoch FROM created) * 1000)::bigint
    FROM arqlight_jobs.pgqueuer_log ORDER BY id DESC LIMIT 1), '0-0')
