-- Put jobs into their queues: all of them, or none when an id is taken. As with a plain arq client's, what is in the
-- queue and in the payload says all there is to say of a waiting job: its record begins with its first claim.
-- ARGV, six a job: id, queue, task, payload, delay_ms, expires_ms ('' for never)
-- Returns the ids already taken.
local taken, seen, replaced = {}, {}, {}
for i = 1, #ARGV, 6 do
  local id = ARGV[i]
  if seen[id] then
    taken[#taken + 1] = id
  elseif call('EXISTS', KEY.payload .. id, KEY.result .. id) > 0 then
    taken[#taken + 1] = id
  elseif read_running(id) then
    taken[#taken + 1] = id
  elseif call('EXISTS', KEY.job .. id, KEY.kept .. id) + call('HEXISTS', KEY.lines, id) > 0 then
    replaced[#replaced + 1] = id
  end
  seen[id] = true
end
if #taken > 0 then return taken end

for _, id in ipairs(replaced) do forget(id, 'replaced') end
local due, scheduled, is_paused = {}, {}, {}
for i = 1, #ARGV, 6 do
  local id, queue, delay = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 4])
  local waits = delay > 0 and scheduled or due
  if is_paused[queue] == nil then is_paused[queue] = call('SISMEMBER', KEY.paused, queue) == 1 end
  if ARGV[i + 5] == '' or is_paused[queue] then
    call('SET', KEY.payload .. id, ARGV[i + 3])
  else
    call('SET', KEY.payload .. id, ARGV[i + 3], 'PX', delay + ARGV[i + 5])
  end
  emit(id, delay > 0 and 'scheduled' or 'queued', queue, ARGV[i + 2], '0')
  waits[queue] = waits[queue] or {}
  table.insert(waits[queue], now + delay)
  table.insert(waits[queue], id)
end

for queue, placed in pairs(scheduled) do
  -- Its "zadd" notification tells the stager to look when the first of them is due.
  spread('ZADD', queue, placed)
  note_queue(queue)
  count_ever('enqueued ' .. queue, #placed / 2)
end
for queue, placed in pairs(due) do
  if #placed == 2 then put_due(queue, placed[2]) else spread('ZADD', queue, placed) end
  note_queue(queue)
  count_ever('enqueued ' .. queue, #placed / 2)
  ring(queue, #placed / 2)
end
return taken
