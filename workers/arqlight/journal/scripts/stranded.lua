-- Find what no living worker can run: jobs at the head of a queue that is served, whose task none of its workers has.
-- Writes nothing.
-- ARGV: at most how many answers
-- Returns three each: queue, task, the worker that had it last ('' when nobody did).
local most, found, told, served = tonumber(ARGV[1]), {}, {}, {}
for _, worker in ipairs(living_workers()) do
  if call('EXISTS', KEY.can .. worker) == 1 then
    for _, queue in ipairs(read_worker(worker, 'queues')) do
      served[queue] = served[queue] or {}
      table.insert(served[queue], worker)
    end
  end
end

for queue, workers in pairs(served) do
  for _, id in ipairs(call('ZRANGEBYSCORE', queue, '-inf', now_text, 'LIMIT', 0, 20)) do
    local task = pickled_task(call('GETRANGE', KEY.payload .. id, 0, 511))
    local has_it = task == '' or told[task .. ' ' .. queue] or call('EXISTS', KEY.in_progress .. id) == 1
    for _, worker in ipairs(workers) do has_it = has_it or call('SISMEMBER', KEY.can .. worker, task) == 1 end
    if not has_it and #found < 3 * most then
      told[task .. ' ' .. queue] = true
      found[#found + 1], found[#found + 2], found[#found + 3] = queue, task, call('HGET', KEY.had, task) or ''
    end
  end
end
return found
