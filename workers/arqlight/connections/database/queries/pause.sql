-- $1: queue
INSERT INTO arqlight_jobs.paused VALUES ($1) ON CONFLICT DO NOTHING RETURNING queue
