-- Lines of jobs' logs. $1: numbers, $2: lines
INSERT INTO arqlight_jobs.lines (number, line) SELECT * FROM unnest($1::bigint[], $2::jsonb[])
