-- Read what the page shows, in one instant: a count never disagrees with a list. Writes nothing.
-- ARGV: how many active jobs, the largest payload to hand out, in bytes
-- Returns: now, cursor, failed, queues {key, processing, queued, scheduled, paused, oldest due}, workers {id, queues}, active {id, queue, state, payload, record, progress}
local rows, largest = tonumber(ARGV[1]), tonumber(ARGV[2])
local queues, running, waiting = {}, {}, {}
local any_paused = call('EXISTS', KEY.paused) == 1

for _, queue in ipairs(queues_to_look_at()) do
  local due = call('ZCOUNT', queue, '-inf', now)
  local ours = call('ZCARD', KEY.processing .. queue)
  -- Plain arq workers leave a running job in the due range, oldest first, with a key that says so.
  local theirs = {}
  for _, id in ipairs(due > 0 and call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, 100) or {}) do
    if call('EXISTS', KEY.in_progress .. id) == 1 then
      theirs[id] = true
      theirs[#theirs + 1] = id
    end
  end
  local later = call('ZCARD', queue) - due - ours
  local waits = due > #theirs
  local oldest = waits and call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', #theirs, 1)[2]
  queues[#queues + 1] = { queue, ours + #theirs, due - #theirs, math.max(later, 0),
    any_paused and call('SISMEMBER', KEY.paused, queue) or 0, oldest or '' }

  for _, id in ipairs(theirs) do
    if #running < rows then running[#running + 1] = { id = id, queue = queue, at = 0 } end
  end
  local started = ours > 0 and call('ZREVRANGE', KEY.processing .. queue, 0, rows - 1, 'WITHSCORES') or {}
  for i = 1, #started, 2 do running[#running + 1] = { id = started[i], queue = queue, at = tonumber(started[i + 1]) } end
  local newest = waits and call('ZREVRANGEBYSCORE', queue, now, '-inf', 'WITHSCORES', 'LIMIT', 0, rows + #theirs) or {}
  for i = 1, #newest, 2 do
    if not theirs[newest[i]] then
      waiting[#waiting + 1] = { id = newest[i], queue = queue, at = tonumber(newest[i + 1]) }
    end
  end
end

local function newest_first(a, b)
  if a.at ~= b.at then return a.at > b.at end
  return a.id > b.id
end
table.sort(running, newest_first)
table.sort(waiting, newest_first)

local active = {}
for state, jobs in pairs({ processing = running, queued = waiting }) do
  for place, job in ipairs(jobs) do
    local slot = state == 'processing' and place or math.min(#running, rows) + place
    if place <= rows and slot <= rows then
      local payload = call('STRLEN', KEY.payload .. job.id) <= largest and call('GET', KEY.payload .. job.id)
      active[slot] = { job.id, job.queue, state, payload, read_record(job.id),
        call('HGET', KEY.progress, job.id) }
    end
  end
end

local workers = {}
for _, worker in ipairs(living_workers()) do
  workers[#workers + 1] = { worker, call('HGET', KEY.worker .. worker, 'queues') }
end
local last = call('XREVRANGE', KEY.events, '+', '-', 'COUNT', 1)[1]
return { now, last and last[1] or '0-0', call('ZCARD', KEY.failed), queues, workers, active }
