-- Stands before every script: the server's clock, and the words all transitions share.
-- KEY (names) and LIMIT (bounds) are put before it by scripting.py.

local call = redis.call
local clock = call('TIME')
-- Rounded as arq's clients round (arq.utils.timestamp_ms): cut off, it would be behind a job they enqueued just now.
local now = clock[1] * 1000 + math.floor(clock[2] / 1000 + 0.5)
local now_text = string.format('%.0f', now)
-- No two scripts begin in one microsecond: a claim's token.
local now_token = string.format('%.0f', clock[1] * 1000000 + clock[2])
local function token_ms(token) return string.sub(token, 1, -4) end

-- One command over any number of values (an even number goes out each time, for pairs): Lua's stack holds 8,000.
local function spread(command, key, values)
  for first = 1, #values, 4000 do
    call(command, key, unpack(values, first, math.min(first + 3999, #values)))
  end
end

local function remove(keys)
  for first = 1, #keys, 4000 do call('DEL', unpack(keys, first, math.min(first + 3999, #keys))) end
end

-- The one place that writes the feed. Extra fields follow the five that every event has. The stream is cut to its
-- bound once a script, by the first event: up to a script's events more stand in it meanwhile.
local is_cut = false
local function emit(id, state, queue, task, attempt, ...)
  if not is_cut then
    call('XTRIM', KEY.events, 'MAXLEN', '~', LIMIT.events)
    is_cut = true
  end
  call('XADD', KEY.events, '*', 'job', id, 'state', state, 'queue', queue, 'task', task or '', 'attempt', attempt, ...)
end

-- The task's name out of arq's own bytes, {'t': .., 'f': name, ..}, for a job that has no record yet. Protocol 4 and up
-- write 'f' and the name as SHORT_BINUNICODE, each followed by MEMOIZE. Other serializers: unknown.
local function pickled_task(payload)
  local _, at = string.find(payload or '', '\140\1f\148\140', 1, true)
  if not at or at > 64 then
    -- Or JSON as serialization.py writes it; a name with an escape in it is read when the job is.
    return string.match(payload or '', '^{"t":%w*,"f":"([^"\\]*)"') or ''
  end
  local size = string.byte(payload, at + 1) -- nil where the bytes were cut off just here
  return size and string.sub(payload, at + 2, at + 1 + size) or ''
end

-- Wake workers that wait for work: one token wakes one of them. Tokens that nobody has taken yet will do.
local function ring(queue, jobs)
  local missing = math.min(jobs, LIMIT.tokens) - call('LLEN', KEY.bell .. queue)
  for _ = 1, missing do call('RPUSH', KEY.bell .. queue, queue) end
end

-- Put a due job into a queue. A score that is counted up sends no "zadd" notification: the stager listens for those,
-- to ring for plain arq clients, and this job has been rung for already.
local function put_due(queue, id)
  call('ZREM', queue, id)
  call('ZINCRBY', queue, now_text, id)
end

-- Out of the due range for as long as a claim holds; without a "zadd" notification, as above.
-- A score beyond all time (anybody may write one, -inf too) cannot be counted up to a moment.
local function hold(queue, id, score, hold_ms)
  if tonumber(score) > -2 ^ 50 then
    call('ZINCRBY', queue, now + hold_ms - score, id)
  else
    call('ZADD', queue, now + hold_ms, id)
  end
end

-- How many jobs ended how, and how long they waited and ran, is counted by queue in three hashes: one for this minute,
-- one for these ten, one for ever. Durations stand in buckets a square root of two apart. Written once a script, by flush_counts.
local counted, is_counted = {}, false
local function tally(field, number)
  counted[field] = (counted[field] or 0) + (number or 1)
  is_counted = true
end
local function bucket(ms) return math.floor(math.log(math.max(ms, 0) + 1) * 2.8853900817779268) end

local function flush_counts()
  if not is_counted then return end
  local minute = math.floor(now / 60000)
  local ten = math.floor(minute / 10)
  for key, seconds in pairs({ [KEY.minute .. minute] = 4200, [KEY.ten_minutes .. ten] = 612000, [KEY.totals] = 0 }) do
    -- Queues have any names: beyond a bound, what is new is not counted.
    local has_room = call('HLEN', key) < 5000
    for field, number in pairs(counted) do
      if has_room or call('HEXISTS', key, field) == 1 then call('HINCRBY', key, field, number) end
    end
    if seconds > 0 then call('EXPIRE', key, seconds) end
  end
end

-- What is counted since ever only, for Prometheus.
local function count_ever(field, number)
  if call('HLEN', KEY.totals) < 5000 or call('HEXISTS', KEY.totals, field) == 1 then
    call('HINCRBY', KEY.totals, field, number)
  end
end

-- A queue gets a job. Those that may hold jobs are a set of their own: with a queue for each customer, most are empty.
local function note_queue(queue)
  if call('SADD', KEY.active_queues, queue) == 1 then call('SADD', KEY.queues, queue) end
end

-- What a worker says of itself. It outlives the lease a little, so that a dead worker can still be named.
local function write_worker(worker, fields)
  call('HSET', KEY.worker .. worker, 'seen_at', now, unpack(fields))
  call('PEXPIRE', KEY.worker .. worker, LIMIT.lease + 3600000)
end

-- The server lost what workers announced. For as long as they need to do it again, nobody fails a job whose task it lacks.
local function let_settle() call('SET', KEY.settling, '1', 'PX', LIMIT.lease) end

local function living_workers() return call('ZRANGEBYSCORE', KEY.workers, '(' .. now_text, '+inf') end

-- One field of that which is JSON; an empty table where it is not there.
local function read_worker(worker, field)
  local text = call('HGET', KEY.worker .. worker, field)
  return text and cjson.decode(text) or {}
end

-- The queues to look at: all of them while they are few.
local function queues_to_look_at()
  return call('SMEMBERS', call('SCARD', KEY.queues) <= LIMIT.queues and KEY.queues or KEY.active_queues)
end

-- The failed list is grouped by what made jobs fail.
local function ungroup(id)
  local fingerprint = call('HGET', KEY.job .. id, 'fingerprint')
  if fingerprint and call('ZREM', KEY.group .. fingerprint, id) == 1
    and call('EXISTS', KEY.group .. fingerprint) == 0 then
    call('ZREM', KEY.groups, fingerprint)
    call('DEL', KEY.group_about .. fingerprint)
  end
end

-- A line of a job's history, newest first and bounded.
local function remember(id, entry)
  call('LPUSH', KEY.history .. id, entry)
  call('LTRIM', KEY.history .. id, 0, LIMIT.history - 1)
end

-- Everything of ours about a job that ended, gone. Who watches the failed list is told why one left it.
local function forget(id, reason)
  if call('ZREM', KEY.failed, id) == 1 then
    ungroup(id)
    local record = call('HMGET', KEY.job .. id, 'queue', 'task', 'attempts')
    emit(id, 'deleted', record[1] or '', record[2], record[3] or 0, 'reason', reason)
  end
  if call('ZREM', KEY.succeeded, id) == 1 then call('HDEL', KEY.lines, id) end
  call('ZREM', KEY.cancelled, id)
  call('DEL', KEY.job .. id, KEY.kept .. id, KEY.history .. id, KEY.log .. id)
end

-- An index of ended jobs, held to its bound; the oldest leave, a few at a time.
local function keep(index, id, limit)
  call('ZADD', index, now_text, id)
  local over = call('ZCARD', index) - limit
  if over > 0 then
    for _, oldest in ipairs(call('ZRANGE', index, 0, math.min(over, 100) - 1)) do forget(oldest, 'trimmed') end
  end
end

-- What runs and what succeeded stands in one hash, a line a job: worker, token (the time of the claim, in microseconds),
-- attempt, how many workers it cost ('-' for a job that never ran before: it has no other record), when it was created
-- and finished ('-' while it runs), queue, task. Claims and endings of many jobs are then few commands.
local function line(worker, token, attempt, lost, created_at, finished_at, queue, task)
  return worker .. ' ' .. token .. ' ' .. attempt .. ' ' .. lost .. ' ' .. created_at .. ' ' .. finished_at .. ' '
    .. #queue .. ' ' .. queue .. ' ' .. task
end

local function read_line(text)
  if not text then return nil end
  local worker, token, attempts, lost, created_at, finished_at, size, rest =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  return { worker = worker, token = token, attempts = attempts, lost = tonumber(lost) or 0, created_at = created_at,
    finished_at = finished_at, queue = string.sub(rest, 1, size), task = string.sub(rest, size + 2) }
end

local function is_running(text) return text and string.find(text, '^%S+ %S+ %S+ %S+ %S+ %- ') ~= nil end

local function read_running(id)
  local text = call('HGET', KEY.lines, id)
  return is_running(text) and read_line(text) or nil
end

-- Which of these jobs the worker still holds. The token, the time of its claim, fences it: an ending of an older claim,
-- given away meanwhile, finds another.
local function holds(worker, ids, tokens)
  local held = {}
  for first = 1, #ids, 4000 do
    for n, text in ipairs(call('HMGET', KEY.lines, unpack(ids, first, math.min(first + 3999, #ids)))) do
      local begin = worker .. ' ' .. tokens[first + n - 1] .. ' '
      held[#held + 1] = text and string.sub(text, 1, #begin) == begin and is_running(text)
    end
  end
  return held
end

-- Jobs of one queue leave their worker. In a queue with a limit that makes room for as many others. Their lines stay.
local function let_go(worker, queue, ids)
  spread('SREM', KEY.claimed .. worker, ids)
  spread('ZREM', KEY.processing .. queue, ids)
  if call('HEXISTS', KEY.limits, queue) == 1 then ring(queue, #ids) end
end

-- What stands of a job that waits is only about its past. It goes with time: a plain arq worker may end the job unseen.
local function let_past_expire(id, delay_ms)
  call('PEXPIRE', KEY.job .. id, delay_ms + 2592000000)
  call('PEXPIRE', KEY.history .. id, delay_ms + 2592000000)
end

local function keep_past(id)
  call('PERSIST', KEY.job .. id)
  call('PERSIST', KEY.history .. id)
end

-- Write down a job that runs no more and did not succeed. Extra fields and values follow.
local function write(id, record, state, ...)
  call('HDEL', KEY.lines, id)
  call('HSET', KEY.job .. id, 'state', state, 'queue', record.queue, 'task', record.task, 'attempts', record.attempts,
    'started_at', token_ms(record.token), 'worker', record.worker, ...)
end

-- Take a claimed job away from its worker: what ran, or nil when the worker held it no more.
local function release(worker, id, token)
  local record = read_running(id)
  if not record or record.worker ~= worker or record.token ~= token then return nil end
  let_go(worker, record.queue, { id })
  return record
end

-- Put back what a worker holds and is not in `known` (id -> token -> true): it never began, so its attempt is not counted.
local function unclaim(worker, known)
  local returned = 0
  for _, id in ipairs(call('SMEMBERS', KEY.claimed .. worker)) do
    local record = read_running(id)
    if record and record.worker == worker and not (known[id] and known[id][record.token]) then
      let_go(worker, record.queue, { id })
      call('DEL', KEY.in_progress .. id)
      put_due(record.queue, id)
      record.attempts = record.attempts - 1
      call('HDEL', KEY.lines, id)
      if record.lost > 0 or record.attempts > 0 then write(id, record, 'queued', 'lost', record.lost) end
      emit(id, 'queued', record.queue, record.task, record.attempts, 'reason', 'unclaimed')
      ring(record.queue, 1)
      returned = returned + 1
    end
  end
  return returned
end

-- The bytes of a job that did not succeed stay until a person deletes it: to be called before settle.
local function keep_payload(id)
  if call('EXISTS', KEY.payload .. id) == 1 then
    call('RENAME', KEY.payload .. id, KEY.kept .. id)
    call('PERSIST', KEY.kept .. id)
  end
end

-- End a run for arq: off its queue, its counters gone.
local function settle(queue, id)
  call('ZREM', queue, id)
  call('ZREM', KEY.abort, id)
  call('DEL', KEY.tries .. id, KEY.payload .. id, KEY.in_progress .. id)
end

-- What arq's Job.result() reads, after settle. result_ttl_ms: -1 keeps none, 0 keeps it for ever.
-- in_progress_ms: above 0 holds the id busy a little longer (cron jobs).
local function keep_result(id, result, result_ttl_ms, in_progress_ms)
  if in_progress_ms and in_progress_ms ~= '0' then call('SET', KEY.in_progress .. id, '1', 'PX', in_progress_ms) end
  if result_ttl_ms == '0' then
    call('SET', KEY.result .. id, result)
  elseif result_ttl_ms ~= '-1' then
    call('SET', KEY.result .. id, result, 'PX', result_ttl_ms)
  end
end

-- A job's record as a flat list of names and values, wherever it stands.
local function read_record(id)
  local record = read_line(call('HGET', KEY.lines, id))
  if not record then return call('HGETALL', KEY.job .. id) end
  local state = record.finished_at == '-' and 'processing' or 'succeeded'
  local flat = { 'state', state, 'queue', record.queue, 'task', record.task, 'attempts', record.attempts, 'started_at',
    token_ms(record.token), 'worker', record.worker }
  if record.created_at ~= '-' then flat[13], flat[14] = 'created_at', record.created_at end
  if record.finished_at ~= '-' then flat[#flat + 1], flat[#flat + 2] = 'finished_at', record.finished_at end
  return flat
end
