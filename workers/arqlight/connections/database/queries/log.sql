-- Lines of jobs' logs. $1: ids, $2: lines
INSERT INTO arqlight_jobs.lines (id, line) SELECT * FROM unnest($1::text[], $2::jsonb[])
