-- Give a worker as many due jobs as it has free slots, from its queues in order.
-- The claim takes or renews the worker's lease: a worker that dies at its first job has sent no heartbeat yet.
-- What the worker has no task for is left to another living worker of the queue that has it, which is told; where none is,
-- the worker takes it, and fails it as arq does, unless it keeps to its own tasks.
-- ARGV: worker, slots, hold_ms, "1" when the worker honours arq:abort, "1" when it keeps to its own tasks, "0" when not, ""
-- when it announced none; then two a queue: queue, its share of the slots
-- Every queue gives up to its share first; slots still free then go to the queues in order.
-- Returns: 1 when due jobs are left that another claim could take, 2 when the server lost what the worker announced and gave
-- nothing, else 0; the token of these claims; then, seven a job:
-- id, queue, payload or false, attempt, score, aborted, lost
local worker, slots, hold_ms, honours_abort = ARGV[1], math.min(tonumber(ARGV[2]), 1000), tonumber(ARGV[3]), ARGV[4] == '1'
honours_abort = honours_abort and call('EXISTS', KEY.abort) == 1
local answer, claimed, skipped, is_dry, is_full = { 0, now_token }, {}, {}, {}, {}
if call('EXISTS', KEY.left .. worker) == 1 then return answer end
-- How many more of a queue may run at once; nil where nobody set a limit.
local began_at, room, limited = {}, {}, call('EXISTS', KEY.limits) == 1
local keeps_to_own, has_announced = ARGV[5] == '1', call('EXISTS', KEY.can .. worker) == 1
if ARGV[5] ~= '' and not has_announced then
  let_settle()
  return { 2, now_token }
end
local left_to_others = {} -- queue -> task -> whether
local has_paused = call('EXISTS', KEY.paused) == 1

-- For how long a job of this score was due, ten years at most.
local function waited(score) return math.min(math.max(now - score, 0), 315360000000) end

-- A running job whose score came due while its worker lives (a blocked event loop) stays with that worker; that of a
-- dead worker waits for the rescue, which writes down what happened.
local function still_held(id, queue, score)
  local lease = call('ZSCORE', KEY.workers, read_running(id).worker)
  if not lease then return false end
  if tonumber(lease) > now then hold(queue, id, score, hold_ms) end
  return true
end

-- Task, tries so far and workers lost of a job that is not new: it ran before, or runs for a worker nobody knows.
local function look_up(id, runs, text, payload, tries)
  if runs then
    local record = read_running(id)
    let_go(record.worker, record.queue, { id })
    return record.task, math.max(tries or 0, record.attempts), record.lost + 1
  end
  local before = call('HMGET', KEY.job .. id, 'state', 'task', 'lost')
  if not text and (before[1] == 'queued' or before[1] == 'scheduled') then return before[2], tries or 0, before[3] or 0 end
  forget(id, 'replaced') -- it ended, and a plain arq client gave its id to a new job
  return pickled_task(payload), tries or 0, '-'
end

-- Whether jobs of a task are not for this worker. A task's name that cannot be read is anybody's.
local function is_left_to_others(queue, task)
  if not has_announced or task == '' or call('SISMEMBER', KEY.can .. worker, task) == 1 then return false end
  local is_others = keeps_to_own
  for _, other in ipairs(living_workers()) do
    if call('SISMEMBER', KEY.can .. other, task) == 1 then
      for _, served in ipairs(read_worker(other, 'queues')) do
        if served == queue then
          is_others = true
          call('PUBLISH', KEY.summons .. other, '')
        end
      end
    end
  end
  -- Who has it may not have announced it again yet.
  return is_others or call('EXISTS', KEY.settling) == 1
end

local function take(queue, wanted)
  if has_paused and call('SISMEMBER', KEY.paused, queue) == 1 then
    is_full[queue] = true
    return
  end
  if limited and room[queue] == nil then
    local limit = call('HGET', KEY.limits, queue)
    room[queue] = limit and math.max(limit - call('ZCARD', KEY.processing .. queue), 0) or false
  end
  if room[queue] and room[queue] < wanted then
    wanted, is_full[queue] = room[queue], true
  end
  local taken, lines, touched, busy, waits = {}, {}, {}, {}, {}
  local left = left_to_others[queue] or {}
  left_to_others[queue] = left
  -- Jobs that plain arq workers run stay in the due range, and so do those for others: step over them. One claim looks
  -- at so many; the next one goes on from there.
  if not skipped[queue] then
    skipped[queue] = tonumber(call('GET', KEY.passed .. worker .. ' ' .. queue) or 0)
    began_at[queue] = skipped[queue]
  end
  while #taken < 2 * wanted and not is_dry[queue] and skipped[queue] - began_at[queue] < 1000 do
    local asked = wanted - #taken / 2
    local due = call('ZRANGEBYSCORE', queue, '-inf', now_text, 'WITHSCORES', 'LIMIT', skipped[queue], asked)
    is_dry[queue] = #due < 2 * asked
    if #due == 0 then break end
    local keys, jobs, ids = {}, {}, {}
    for i = 1, #due, 2 do
      local id, n = due[i], #keys
      keys[n + 1], keys[n + 2], keys[n + 3] = KEY.in_progress .. id, KEY.payload .. id, KEY.tries .. id
      jobs[#jobs + 1], ids[#ids + 1] = KEY.job .. id, id
    end
    local read, texts = call('MGET', unpack(keys)), call('HMGET', KEY.lines, unpack(ids))
    local none_ran = call('EXISTS', unpack(jobs)) == 0 -- mostly all are new, and no record need be looked for
    for n, id in ipairs(ids) do
      local score, payload, tries = due[2 * n], read[3 * n - 1], read[3 * n]
      local running = is_running(texts[n])
      local name = running and read_line(texts[n]).task or pickled_task(payload)
      if left[name] == nil then left[name] = is_left_to_others(queue, name) end
      if read[3 * n - 2] or running and still_held(id, queue, score) or left[name] then
        skipped[queue] = skipped[queue] + 1
      else
        local task, attempt, lost
        if none_ran and not texts[n] then
          task, attempt, lost = name, tries or 0, '-'
        else
          task, attempt, lost = look_up(id, running, texts[n], payload, tries)
        end
        attempt = attempt + 1
        hold(queue, id, score, hold_ms)
        waits[score] = (waits[score] or 0) + 1
        emit(id, 'processing', queue, task, attempt, 'worker', worker)
        local k = #taken
        lines[k + 1], lines[k + 2] = id, line(worker, now_token, attempt, lost, '-', '-', queue, task)
        taken[k + 1], taken[k + 2] = now_text, id
        busy[#busy + 1] = keys[3 * n - 2]
        touched[k + 1], touched[k + 2] = keys[3 * n - 2], '1'
        claimed[#claimed + 1] = id
        local m = #answer
        answer[m + 1], answer[m + 2], answer[m + 3], answer[m + 4] = id, queue, payload, attempt
        answer[m + 5], answer[m + 6], answer[m + 7] = score, 0, tostring(lost)
        if honours_abort then answer[m + 6] = call('ZREM', KEY.abort, id) end
      end
    end
  end
  if #taken > 0 then
    spread('HSET', KEY.lines, lines)
    spread('ZADD', KEY.processing .. queue, taken)
    -- A plain arq worker that has just found one of these due WATCHes this key of it, and then leaves it to us.
    call('MSET', unpack(touched))
    remove(busy)
    for score, number in pairs(waits) do
      tally('waited' .. bucket(waited(score)) .. ' ' .. queue, number)
      tally('ms_waited ' .. queue, math.floor(waited(score)) * number)
    end
    slots = slots - #taken / 2
    if room[queue] then room[queue] = room[queue] - #taken / 2 end
  end
end

for i = 6, #ARGV, 2 do take(ARGV[i], math.min(slots, tonumber(ARGV[i + 1]))) end
for i = 6, #ARGV, 2 do take(ARGV[i], slots) end
if #claimed > 0 then
  spread('SADD', KEY.claimed .. worker, claimed)
  -- Written only when less than half of it is left: each write is a notification to every stager.
  local lease = call('ZSCORE', KEY.workers, worker)
  if not lease or tonumber(lease) < now + LIMIT.lease / 2 then call('ZADD', KEY.workers, now + LIMIT.lease, worker) end
end
flush_counts()

local silenced = {}
for i = 6, #ARGV, 2 do
  local queue = ARGV[i]
  local passed = (skipped[queue] or 0) - (began_at[queue] or 0)
  if is_dry[queue] then
    silenced[#silenced + 1] = KEY.bell .. queue -- whoever comes for these tokens would find nothing
    silenced[#silenced + 1] = KEY.passed .. worker .. ' ' .. queue
  elseif passed >= 1000 and slots > 0 and not is_full[queue] then
    call('SET', KEY.passed .. worker .. ' ' .. queue, skipped[queue], 'PX', 5000)
    answer[1] = 1
  elseif slots == 0 and not is_full[queue] then
    local next_id = call('ZRANGEBYSCORE', queue, '-inf', now_text, 'LIMIT', skipped[queue] or 0, 1)[1]
    if next_id then
      answer[1] = 1
      -- This worker is full, another may not be.
      if #claimed > 0 then ring(queue, 1) end
    end
  end
end
remove(silenced)
return answer
