-- Give a worker as many due jobs as it has free slots, from its queues in order.
-- ARGV: worker, slots, lease_ms, "1" when the worker honours arq:abort, then the queues
-- Returns: ms until the next scheduled job (-1: none is), then, a job: id, queue, payload or false, attempt, token, score, aborted, lost
local worker, slots, lease_ms, honours_abort = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local claimed = { -1 }

-- The task's name out of arq's own pickle, {'t': .., 'f': name, ..}, for jobs that a plain arq client put here.
-- Protocol 4 and up write 'f' and the name as SHORT_BINUNICODE, each followed by MEMOIZE. Other serializers: unknown.
local function pickled_task(payload)
  local _, at = string.find(payload or '', '\140\1f\148\140', 1, true)
  if not at or at > 64 then return '' end
  return string.sub(payload, at + 2, at + 1 + string.byte(payload, at + 1))
end

local function claim(id, queue, score, record)
  local state = record[1]
  local claims, lost = (record[3] or 0) + 1, tonumber(record[6] or 0)
  local payload = call('GET', KEY.payload .. id)
  local task = record[5]
  if state ~= 'queued' and state ~= 'scheduled' and state ~= 'processing' then
    -- A plain arq client enqueued it; an ended job of the same id gives way.
    if state then forget(id, 'replaced') end
    claims, lost, task = 1, 0, pickled_task(payload)
    call('HSET', KEY.job .. id, 'created_at', score)
  end
  if state == 'processing' then lost = lost + 1 end
  local attempt = call('INCR', KEY.tries .. id)
  call('EXPIRE', KEY.tries .. id, 88400)
  call('ZADD', queue, now + lease_ms, id)
  call('SET', KEY.in_progress .. id, '1', 'PX', lease_ms)
  call('HSET', KEY.job .. id, 'queue', queue, 'task', task or '', 'state', 'processing', 'attempts', attempt,
    'started_at', now, 'worker', worker, 'claims', claims, 'lost', lost)
  call('PERSIST', KEY.job .. id)
  call('ZADD', KEY.processing .. queue, now, id)
  call('SADD', KEY.claimed .. worker, id)
  local aborted = honours_abort and call('ZREM', KEY.abort, id) or 0
  emit(id, 'processing', queue, task, attempt, 'worker', worker)
  for _, value in ipairs({ id, queue, payload, attempt, tostring(claims), score, aborted, lost }) do
    claimed[#claimed + 1] = value
  end
end

-- A job whose score came due while its worker lives (a blocked event loop) stays with that worker; that of a dead
-- worker waits for the rescue, which writes down what happened.
local function still_held(id, queue, record)
  local lease = record[1] == 'processing' and call('ZSCORE', KEY.workers, record[2])
  if not lease then return false end
  if tonumber(lease) > now then
    call('ZADD', queue, now + lease_ms, id)
    call('SET', KEY.in_progress .. id, '1', 'PX', lease_ms)
  end
  return true
end

for q = 5, #ARGV do
  local queue, offset = ARGV[q], 0
  -- Jobs that plain arq workers run stay in the due range: step over them, within a bound.
  while slots > 0 and offset < 1000 do
    local due = call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, slots)
    if #due == 0 then break end
    for i = 1, #due, 2 do
      local id = due[i]
      local record = call('HMGET', KEY.job .. id, 'state', 'worker', 'claims', 'queue', 'task', 'lost')
      if call('EXISTS', KEY.in_progress .. id) == 1 or still_held(id, queue, record) then
        offset = offset + 1
      else
        claim(id, queue, due[i + 1], record)
        slots = slots - 1
      end
    end
  end
end

local next_due = -1
for q = 5, #ARGV do
  local later = call('ZRANGEBYSCORE', ARGV[q], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local wait = later[2] and tonumber(later[2]) - now
  if wait and (next_due < 0 or wait < next_due) then next_due = wait end
end
claimed[1] = next_due
return claimed
