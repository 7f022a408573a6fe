-- Every list has a bound. $1: ended jobs kept, $2: failed jobs kept, $3: log entries kept
WITH old_ended AS (
    DELETE FROM arqlight_jobs.ended WHERE number IN (
        SELECT number FROM arqlight_jobs.ended ORDER BY finished_at DESC OFFSET $1) RETURNING number
), old_failed AS (
    DELETE FROM arqlight_jobs.pgqueuer WHERE id IN (
        SELECT id FROM arqlight_jobs.pgqueuer WHERE status = 'failed' ORDER BY updated DESC OFFSET $2)
    RETURNING id AS number
), old_log AS (
    DELETE FROM arqlight_jobs.pgqueuer_log l
    WHERE l.id <= (SELECT max(id) FROM arqlight_jobs.pgqueuer_log) - $3
        AND NOT EXISTS (SELECT FROM arqlight_jobs.pgqueuer q WHERE q.id = l.job_id)
), old_lines AS (
    DELETE FROM arqlight_jobs.lines WHERE number IN (SELECT number FROM old_ended UNION SELECT number FROM old_failed)
), old_progress AS (
    DELETE FROM arqlight_jobs.progress p
    WHERE NOT EXISTS (SELECT FROM arqlight_jobs.pgqueuer q WHERE q.id = p.number AND q.updated = p.claimed)
), old_rescuers AS (
    DELETE FROM arqlight_jobs.rescuers WHERE asked_at < now() - interval '1 hour'
)
DELETE FROM arqlight_jobs.workers WHERE lease_until < now() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM arqlight_jobs.pgqueuer q WHERE q.queue_manager_id = manager)
