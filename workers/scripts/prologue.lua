-- Stands before every script: the server's clock, and the words all transitions share.
-- KEY (names) and LIMIT (bounds) are put before it by journal.py.

local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The one place that writes the feed. Extra fields follow the five that every event has.
local function emit(id, state, queue, task, attempt, ...)
  call('XADD', KEY.events, 'MAXLEN', '~', LIMIT.events, '*',
    'job', id, 'state', state, 'queue', queue, 'task', task or '', 'attempt', attempt, ...)
end

-- A line of a job's history, newest first and bounded.
local function remember(id, entry)
  call('LPUSH', KEY.history .. id, entry)
  call('LTRIM', KEY.history .. id, 0, LIMIT.history - 1)
end

-- Everything of ours about a job that ended, gone. Who watches the failed list is told why one left it.
local function forget(id, reason)
  if call('ZREM', KEY.failed, id) == 1 then
    local record = call('HMGET', KEY.job .. id, 'queue', 'task', 'attempts')
    emit(id, 'deleted', record[1] or '', record[2], record[3] or 0, 'reason', reason)
  end
  call('ZREM', KEY.succeeded, id)
  call('ZREM', KEY.cancelled, id)
  call('DEL', KEY.job .. id, KEY.kept .. id, KEY.history .. id)
end

-- An index of ended jobs, held to its bound; the oldest leave, a few at a time.
local function keep(index, id, limit)
  call('ZADD', index, now, id)
  local over = call('ZCARD', index) - limit
  if over > 0 then
    for _, oldest in ipairs(call('ZRANGE', index, 0, math.min(over, 100) - 1)) do forget(oldest, 'trimmed') end
  end
end

-- Take a claimed job away from its worker; the fencing token (the job's count of claims) says whether it still may.
-- Returns the job's record {queue, task, attempts, fingerprint, repeats}, or nil when the claim is not its own any more.
local function release(worker, id, token)
  local record = call('HMGET', KEY.job .. id, 'state', 'worker', 'claims', 'queue', 'task', 'attempts',
    'fingerprint', 'repeats')
  if record[1] ~= 'processing' or record[2] ~= worker or record[3] ~= token then return nil end
  call('SREM', KEY.claimed .. worker, id)
  call('ZREM', KEY.processing .. record[4], id)
  return { queue = record[4], task = record[5], attempts = record[6], fingerprint = record[7], repeats = record[8] }
end

-- End a run for arq: off its queue, its counters gone, its result there for Job.result().
-- result_ttl_ms: -1 keeps none, 0 keeps it for ever. in_progress_ms: above 0 holds the id busy a little (cron jobs).
local function settle(id, queue, result, result_ttl_ms, in_progress_ms)
  call('ZREM', queue, id)
  call('ZREM', KEY.abort, id)
  call('DEL', KEY.tries .. id, KEY.payload .. id)
  if tonumber(in_progress_ms or 0) > 0 then
    call('PEXPIRE', KEY.in_progress .. id, in_progress_ms)
  else
    call('DEL', KEY.in_progress .. id)
  end
  local ttl = tonumber(result_ttl_ms)
  if ttl == 0 then
    call('SET', KEY.result .. id, result)
  elseif ttl > 0 then
    call('SET', KEY.result .. id, result, 'PX', ttl)
  end
end
