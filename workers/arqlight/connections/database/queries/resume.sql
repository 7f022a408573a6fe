-- Nothing expires in a queue that is paused: what would have expired meanwhile does not. $1: queue
WITH resumed AS (
    DELETE FROM arqlight_jobs.paused WHERE queue = $1 RETURNING queue, since
), kept AS (
    UPDATE arqlight_jobs.pgqueuer q SET headers = q.headers - 'expires_ms' FROM resumed r
    WHERE q.entrypoint = r.queue AND q.status = 'queued' AND q.headers ? 'expires_ms'
        AND q.execute_after + (q.headers->>'expires_ms')::float8 * interval '1 millisecond' > r.since
)
SELECT queue, {wake} FROM resumed
