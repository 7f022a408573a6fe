-- A worker takes due jobs into its free slots, and its lease with them: one that dies at its first job has sent no
-- heartbeat yet. A worker that left gets nothing. A job whose task it has not is left to a living worker of the queue
-- that has it; where none is, it takes the job all the same, unless it keeps to its own tasks.
-- $1: worker, $2: manager, $3: about, $4: seconds of the lease, $5: queues in order, $6: the share of each,
-- $7: free slots, $8: tasks, $9: whether it keeps to its own, $10: limits of the queues as set on the page,
-- $11: limits as it declares them itself
WITH me AS (
    INSERT INTO arqlight_jobs.workers AS w (id, manager, about, lease_until)
    VALUES ($1, $2, $3, now() + $4 * interval '1 second')
    ON CONFLICT (id) DO UPDATE SET lease_until = greatest(w.lease_until, excluded.lease_until)
    WHERE NOT w.said_goodbye
    RETURNING id
), others AS MATERIALIZED (
    SELECT about FROM arqlight_jobs.workers WHERE id <> $1 AND lease_until > now() AND NOT said_goodbye
), wanted AS MATERIALIZED (
    SELECT t.queue, t.share, t.place, coalesce(t.chosen, least(t.declared, (
        SELECT min((o.about->'limits'->>t.queue)::integer) FROM others o))) AS most
    FROM unnest($5::text[], $6::integer[], $10::integer[], $11::integer[])
        WITH ORDINALITY AS t (queue, share, chosen, declared, place)
    WHERE EXISTS (SELECT FROM me) AND NOT EXISTS (SELECT FROM arqlight_jobs.paused p WHERE p.queue = t.queue)
), room AS MATERIALIZED (
    SELECT w.*, CASE WHEN w.most IS NULL THEN $7 ELSE least($7, w.most - (
        SELECT count(*) FROM arqlight_jobs.pgqueuer r WHERE r.status = 'picked' AND r.entrypoint = w.queue)) END AS free
    FROM wanted w
), due AS (
    SELECT job.id, r.share, r.place, row_number() OVER (PARTITION BY r.place ORDER BY job.priority DESC, job.id) AS rank
    FROM room r CROSS JOIN LATERAL (
        SELECT c.id, c.priority FROM arqlight_jobs.pgqueuer c
        WHERE c.entrypoint = r.queue AND c.status = 'queued' AND c.execute_after <= now()
            AND (c.headers->>'task' IS NULL OR c.headers->>'task' = ANY ($8::text[])
                OR NOT $9 AND NOT EXISTS (SELECT FROM others o
                    WHERE o.about->'queues' ? c.entrypoint AND o.about->'tasks' ? (c.headers->>'task')))
        ORDER BY c.priority DESC, c.id LIMIT greatest(r.free, 0)
        FOR UPDATE SKIP LOCKED
    ) job
), chosen AS (
    -- Every queue gives up to its share first; slots still free then go to the queues in order.
    SELECT id FROM due ORDER BY rank > share, place, rank LIMIT $7
), taken AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'picked', updated = now(), heartbeat = now(), queue_manager_id = $2
    FROM chosen c WHERE q.id = c.id
    RETURNING q.*
), logged AS (
    INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, status, entrypoint, priority FROM taken
)
SELECT id AS number, coalesce(dedupe_key, id::text) AS id, entrypoint AS queue, payload, attempts, headers, execute_after,
    updated AS claimed
FROM taken ORDER BY priority DESC, taken.id
