-- A worker renews its lease and says what it is. One of all workers is the stager: the first that finds the post free.
-- ARGV: worker, then the fields and values of its record (may be none)
-- Returns whether this worker is the stager, and whether the server knows what it announced: each 1 or 0.
local worker = ARGV[1]
call('ZADD', KEY.workers, now + LIMIT.lease, worker)
call('ZREM', KEY.dead, worker) -- it lives: its lease ran out while the server hung
write_worker(worker, { unpack(ARGV, 2) })
local is_known = call('PEXPIRE', KEY.can .. worker, LIMIT.lease + 3600000)
if is_known == 0 then let_settle() end
local stager = call('GET', KEY.stager)
if stager and stager ~= worker then return { 0, is_known } end
call('SET', KEY.stager, worker, 'PX', math.floor(LIMIT.lease / 2))
return { 1, is_known }
