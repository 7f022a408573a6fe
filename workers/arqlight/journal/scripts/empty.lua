-- Remove what waits in a queue, due or scheduled; what runs stays.
-- ARGV: queue, at most how many in this call
-- Returns how many went.
local queue, most = ARGV[1], tonumber(ARGV[2])
local gone, skipped = 0, 0
while gone < most do
  local ids = call('ZRANGE', queue, skipped, skipped + math.min(most - gone, 500) - 1)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    local running = read_running(id)
    if running or call('EXISTS', KEY.in_progress .. id) == 1 then
      skipped = skipped + 1
    else
      local before = call('HMGET', KEY.job .. id, 'task', 'attempts')
      call('ZREM', queue, id)
      forget(id, 'emptied')
      call('DEL', KEY.payload .. id, KEY.tries .. id)
      call('ZREM', KEY.abort, id)
      emit(id, 'deleted', queue, before[1], before[2] or 0, 'reason', 'emptied')
      gone = gone + 1
    end
  end
end
return gone
