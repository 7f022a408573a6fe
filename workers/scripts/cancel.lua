-- End a job that someone called off: a waiting one (worker ''), or one whose worker stopped it.
-- ARGV: worker, id, token, task, result, result_ttl_ms, in_progress_ms
-- Returns 1, 0 when there is nothing to cancel, or 2 when the job runs and its worker was asked to abort it.
local worker, id, task = ARGV[1], ARGV[2], ARGV[4]
local record
if worker ~= '' then
  record = release(worker, id, ARGV[3])
else
  local fields = call('HMGET', KEY.job .. id, 'queue', 'task', 'attempts', 'state')
  local queue = fields[1] or ARGV[8]
  if not queue or not call('ZSCORE', queue, id) then return 0 end
  if fields[4] == 'processing' or call('EXISTS', KEY.in_progress .. id) == 1 then
    call('ZADD', KEY.abort, now, id)
    call('PUBLISH', KEY.bell, KEY.abort)
    return 2
  end
  record = { queue = queue, task = fields[2], attempts = fields[3] }
  call('HSETNX', KEY.job .. id, 'created_at', now)
  call('PERSIST', KEY.job .. id)
end
if not record then return 0 end

task = task ~= '' and task or record.task
settle(id, record.queue, ARGV[5], ARGV[6], ARGV[7])
call('HSET', KEY.job .. id, 'state', 'cancelled', 'queue', record.queue, 'task', task or '', 'finished_at', now)
keep(KEY.cancelled, id, LIMIT.succeeded)
emit(id, 'cancelled', record.queue, task, record.attempts or 0)
return 1
