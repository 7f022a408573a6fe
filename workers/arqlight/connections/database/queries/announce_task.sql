INSERT INTO arqlight_jobs.tasks VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET queue = excluded.queue, serializer = excluded.serializer
