-- $1: seconds
UPDATE arqlight_jobs.watched SET until = now() + $1 * interval '1 second'
