-- When the next job is due that a worker may take, as seconds from now; below 0 for one that is due; nothing where none
-- waits. $1: worker, $2: queues, $3: tasks, $4: whether it keeps to its own
SELECT extract(epoch FROM min(job.execute_after) - now())::float8 AS due_s FROM unnest($2::text[]) AS wanted (queue)
CROSS JOIN LATERAL (
    SELECT c.execute_after FROM arqlight_jobs.pgqueuer c
    WHERE c.entrypoint = wanted.queue AND c.status = 'queued'
        AND (c.headers->>'task' IS NULL OR c.headers->>'task' = ANY ($3::text[])
            OR NOT $4 AND NOT EXISTS (SELECT FROM arqlight_jobs.workers o
                WHERE o.id <> $1 AND o.lease_until > now() AND NOT o.said_goodbye
                    AND o.about->'queues' ? c.entrypoint AND o.about->'tasks' ? (c.headers->>'task')))
    ORDER BY c.execute_after LIMIT 1
) job
WHERE NOT EXISTS (SELECT FROM arqlight_jobs.paused p WHERE p.queue = wanted.queue)
