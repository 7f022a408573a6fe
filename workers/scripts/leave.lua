-- A worker says goodbye. Jobs it still holds are left for the rescue, at once.
-- ARGV: worker
local worker = ARGV[1]
if call('SCARD', KEY.claimed .. worker) > 0 then
  call('ZADD', KEY.workers, 0, worker)
else
  call('ZREM', KEY.workers, worker)
end
call('DEL', KEY.worker .. worker)
return 1
