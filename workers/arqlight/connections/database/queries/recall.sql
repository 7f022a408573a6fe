-- A running job is called off: a mark that stays until the job ends, and a word to who runs it. $1: number
WITH recalled AS (
    UPDATE arqlight_jobs.pgqueuer SET headers = coalesce(headers, '{}') || '{"recalled": "yes"}'
    WHERE id = $1 AND status = 'picked' RETURNING id
)
SELECT id, pg_notify('arqlight_jobs', json_build_object('channel', 'arqlight_jobs', 'ids', json_build_array(id),
    'sent_at', now(), 'type', 'cancellation_event')::text)
FROM recalled
