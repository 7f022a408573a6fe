-- What running jobs told of their progress. $1: numbers, $2: claims, $3: steps
INSERT INTO arqlight_jobs.progress SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::jsonb[])
ON CONFLICT (number) DO UPDATE SET claimed = excluded.claimed, step = excluded.step
