-- Where queues are many: note which of them hold jobs. Those of arq's own names that hold none, and that nobody takes from,
-- has paused or has set something for, are forgotten: whoever puts a job there makes them known again.
-- ARGV: the place to go on from ('0' to begin), the prefix of arq's own names
-- Returns the place to go on from, '0' at the end.
if call('SCARD', KEY.queues) <= LIMIT.queues then return '0' end
local served = {}
for _, worker in ipairs(living_workers()) do
  for _, queue in ipairs(read_worker(worker, 'queues')) do served[queue] = true end
end
local found = call('SSCAN', KEY.queues, ARGV[1], 'COUNT', 1000)
for _, queue in ipairs(found[2]) do
  if call('EXISTS', queue) == 1 then
    call('SADD', KEY.active_queues, queue)
  else
    call('SREM', KEY.active_queues, queue)
    local is_arqs = string.sub(queue, 1, #ARGV[2]) == ARGV[2]
    local is_set = call('SISMEMBER', KEY.paused, queue) + call('HEXISTS', KEY.limits, queue)
      + call('HEXISTS', KEY.overrides, 'queue:' .. queue) > 0
    if is_arqs and not is_set and not served[queue] then call('SREM', KEY.queues, queue) end
  end
end
return found[1]
