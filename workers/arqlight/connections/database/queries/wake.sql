-- Tells every worker to look: PgQueuer's own notification, which its trigger sends for new jobs, but for no update.
pg_notify('arqlight_jobs', json_build_object('channel', 'arqlight_jobs', 'operation', 'update', 'sent_at', now(),
    'table', 'pgqueuer', 'type', 'table_changed_event')::text)
