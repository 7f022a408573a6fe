-- How many jobs of each queue are in which state, and when the one that waits longest was due.
SELECT entrypoint AS queue,
    count(*) FILTER (WHERE status = 'picked') AS processing,
    count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS queued,
    count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS scheduled,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    min(execute_after) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS oldest
FROM arqlight_jobs.pgqueuer
GROUP BY entrypoint
