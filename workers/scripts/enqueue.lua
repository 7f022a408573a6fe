-- Put jobs into their queues: all of them, or none when an id is taken.
-- ARGV, six a job: id, queue, task, payload, delay_ms, expires_ms
-- Returns the ids already taken.
local taken, seen = {}, {}
for i = 1, #ARGV, 6 do
  local id = ARGV[i]
  if seen[id] or call('EXISTS', KEY.payload .. id, KEY.result .. id) > 0 then taken[#taken + 1] = id end
  seen[id] = true
end
if #taken > 0 then return taken end

local rung = {}
for i = 1, #ARGV, 6 do
  local id, queue, task, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local delay, expires = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local state = delay > 0 and 'scheduled' or 'queued'
  forget(id, 'replaced')
  call('SET', KEY.payload .. id, payload, 'PX', delay + expires)
  call('ZADD', queue, now + delay, id)
  call('HSET', KEY.job .. id, 'queue', queue, 'task', task, 'state', state, 'attempts', 0, 'created_at', now)
  -- A plain arq worker may take the job and never tell: the record then goes by itself.
  call('PEXPIRE', KEY.job .. id, delay + 2 * expires)
  emit(id, state, queue, task, 0)
  if not rung[queue] then
    rung[queue] = true
    call('SADD', KEY.queues, queue)
    call('PUBLISH', KEY.bell, queue)
  end
end
return taken
