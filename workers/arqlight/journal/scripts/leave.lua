-- A worker says goodbye. What it still holds goes back; a claim of its that is still on the way will get nothing. The
-- doorman's post is free.
-- ARGV: worker
-- Returns how many jobs went back.
local worker = ARGV[1]
local returned = unclaim(worker, {})
call('SET', KEY.left .. worker, '1', 'EX', 600)
call('ZREM', KEY.workers, worker)
call('DEL', KEY.worker .. worker)
if call('GET', KEY.doorman) == worker then call('DEL', KEY.doorman) end
return returned
