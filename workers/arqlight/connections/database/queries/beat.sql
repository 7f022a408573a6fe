-- A worker renews its lease and says what it is. $1: id, $2: manager, $3: about, $4: seconds
INSERT INTO arqlight_jobs.workers AS w (id, manager, about, lease_until) VALUES ($1, $2, $3, now() + $4 * interval '1 second')
ON CONFLICT (id) DO UPDATE SET about = excluded.about, seen_at = now(), lease_until = excluded.lease_until
