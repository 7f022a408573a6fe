-- End a job that someone called off: a waiting one (worker ''), or one whose worker stopped it.
-- ARGV: worker, id, token, task, created_at, result, result_ttl_ms, in_progress_ms, queue
-- Returns 1, 0 when there is nothing to cancel, or 2 when the job runs and its worker was asked to abort it.
local worker, id, task = ARGV[1], ARGV[2], ARGV[4]
local record
if worker ~= '' then
  record = release(worker, id, ARGV[3])
else
  local running = read_running(id)
  local before = call('HMGET', KEY.job .. id, 'queue', 'task', 'attempts', 'state')
  local queue = running and running.queue or before[1]
  -- An id that ended on one queue may wait on another.
  if not running and ARGV[9] ~= '' and call('ZSCORE', ARGV[9], id) then queue = ARGV[9] end
  if not queue or not call('ZSCORE', queue, id) then return 0 end
  if running or call('EXISTS', KEY.in_progress .. id) == 1 then
    call('ZADD', KEY.abort, now_text, id)
    call('PUBLISH', KEY.summons .. (running and running.worker or ''), id)
    return 2
  end
  if before[4] == 'queued' or before[4] == 'scheduled' then
    record = { queue = queue, task = before[2] or '', attempts = before[3] or 0 }
  else
    forget(id, 'replaced') -- it ended, and a plain arq client gave its id to a new job
    record = { queue = queue, task = '', attempts = 0 }
  end
end
if not record then return 0 end

if task ~= '' then record.task = task end
keep_payload(id)
settle(record.queue, id)
keep_result(id, ARGV[6], ARGV[7], ARGV[8])
call('HDEL', KEY.lines, id)
call('HSET', KEY.job .. id, 'state', 'cancelled', 'queue', record.queue, 'task', record.task, 'attempts',
  record.attempts, 'created_at', ARGV[5], 'finished_at', now_text)
if record.worker then call('HSET', KEY.job .. id, 'worker', record.worker, 'started_at', token_ms(record.token)) end
keep_past(id)
keep(KEY.cancelled, id, LIMIT.succeeded)
count_ever('cancelled ' .. record.queue, 1)
emit(id, 'cancelled', record.queue, record.task, record.attempts)
return 1
