-- A worker renews its lease and says what it is. One of all workers is the stager: the first that finds the post free.
-- ARGV: worker, lease_ms, then the fields and values of its record (may be none)
-- Returns whether this worker is the stager, and whether the server knows what it announced: each 1 or 0.
local worker, lease_ms = ARGV[1], tonumber(ARGV[2])
call('ZADD', KEY.workers, now + lease_ms, worker)
call('ZREM', KEY.dead, worker) -- it lives: its lease ran out while the server hung
call('HSET', KEY.worker .. worker, 'seen_at', now, unpack(ARGV, 3))
-- The record outlives the lease a little, so that a dead worker can still be named.
call('PEXPIRE', KEY.worker .. worker, lease_ms + 3600000)
local is_known = call('PEXPIRE', KEY.can .. worker, lease_ms + 3600000)
local stager = call('GET', KEY.stager)
if stager and stager ~= worker then return { 0, is_known } end
call('SET', KEY.stager, worker, 'PX', math.floor(lease_ms / 2))
return { 1, is_known }
