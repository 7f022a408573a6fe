-- What running jobs told of their progress. $1: ids, $2: steps
INSERT INTO arqlight_jobs.progress SELECT * FROM unnest($1::text[], $2::jsonb[])
ON CONFLICT (id) DO UPDATE SET step = excluded.step
