-- A worker renews its lease and says what it is.
-- ARGV: worker, lease_ms, then the fields and values of its record (may be none)
local worker, lease_ms = ARGV[1], tonumber(ARGV[2])
call('ZADD', KEY.workers, now + lease_ms, worker)
call('HSET', KEY.worker .. worker, 'seen_at', now, unpack(ARGV, 3))
-- The record outlives the lease a little, so that a dead worker can still be named.
call('PEXPIRE', KEY.worker .. worker, lease_ms + 3600000)
return now
