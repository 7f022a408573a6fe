-- A worker leaves. What it still holds goes back; a claim of its that is still on the way will get nothing, and the
-- post of the stager is free.
-- ARGV: worker
-- Returns how many jobs went back.
local worker = ARGV[1]
local returned = unclaim(worker, {})
call('SET', KEY.left .. worker, '1', 'EX', 600)
call('ZREM', KEY.workers, worker)
call('DEL', KEY.worker .. worker, KEY.can .. worker)
if call('GET', KEY.stager) == worker then call('DEL', KEY.stager) end
return returned
