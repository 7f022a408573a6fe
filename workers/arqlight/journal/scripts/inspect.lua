-- Read all there is about one job, in one instant. Writes nothing.
-- ARGV: id
-- Returns: now, record, payload, kept payload, result, history, 1 when it is marked in progress, queue, score, progress,
-- log lines (JSON, oldest first)
local id = ARGV[1]
local record = read_record(id)
local queue = false
for i = 1, #record, 2 do
  if record[i] == 'queue' then queue = record[i + 1] end
end
local score = queue and call('ZSCORE', queue, id)
if not score then
  for _, other in ipairs(call('SMEMBERS', KEY.queues)) do
    score = call('ZSCORE', other, id)
    if score then
      queue = other
      break
    end
  end
end
return { now, record, call('GET', KEY.payload .. id), call('GET', KEY.kept .. id), call('GET', KEY.result .. id),
  call('LRANGE', KEY.history .. id, 0, -1), call('EXISTS', KEY.in_progress .. id), score and queue, score or false,
  call('HGET', KEY.progress, id), call('LRANGE', KEY.log .. id, 0, -1) }
