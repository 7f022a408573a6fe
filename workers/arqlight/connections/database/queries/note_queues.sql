INSERT INTO arqlight_jobs.queues SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
