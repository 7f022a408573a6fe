-- The stager rings for due jobs that nobody rang for (of plain arq clients, or scheduled until now), and summons the
-- workers of jobs that plain arq clients called off.
-- ARGV: queues that grew, as far as the stager has heard
-- Returns ms until the next scheduled job is due, or -1.
local next_due = -1
for _, queue in ipairs(ARGV) do
  if call('SISMEMBER', KEY.queues, queue) == 1 then call('SADD', KEY.active_queues, queue) end
end
for _, queue in ipairs(queues_to_look_at()) do
  -- Jobs that plain arq workers run stay in the due range, oldest first; behind a hundred of them a worker has to look.
  local due = call('ZRANGEBYSCORE', queue, '-inf', now_text, 'LIMIT', 0, 101)
  for n, id in ipairs(due) do
    if n > 100 or call('EXISTS', KEY.in_progress .. id) == 0 then
      ring(queue, 1)
      break
    end
  end
  local later = call('ZRANGEBYSCORE', queue, '(' .. now_text, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local wait = later[2] and tonumber(later[2]) - now
  if wait and (next_due < 0 or wait < next_due) then next_due = wait end
end
for _, id in ipairs(call('ZRANGE', KEY.abort, 0, 999)) do
  local running = read_running(id)
  if running then call('PUBLISH', KEY.summons .. running.worker, id) end
end
return next_due
