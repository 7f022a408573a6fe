-- Claims from a queue that has a limit go one after another: each counts what the one before took. $1: queues
SELECT pg_advisory_xact_lock(hashtextextended('arqlight limit of ' || queue, 0)) FROM unnest($1::text[]) AS queue
