-- End a job that is out of tries: into the failed list, with its raw bytes and its last failure.
-- ARGV: worker, id, token, task, result, result_ttl_ms, in_progress_ms, attempt, failure (JSON), error, message, fingerprint
-- Returns 1, or 0 when the worker held it no more.
local worker, id, task, attempt, failure = ARGV[1], ARGV[2], ARGV[4], ARGV[8], ARGV[9]
local err, message, fingerprint = ARGV[10], ARGV[11], ARGV[12]
local record = release(worker, id, ARGV[3])
if not record then return 0 end

if call('EXISTS', KEY.payload .. id) == 1 then
  call('RENAME', KEY.payload .. id, KEY.kept .. id)
  call('PERSIST', KEY.kept .. id)
end
settle(id, record.queue, ARGV[5], ARGV[6], ARGV[7])
remember(id, failure)
-- How often in a row this job has ended so: the same failure again after a retry is worth saying.
local repeats = record.fingerprint == fingerprint and (record.repeats or 0) + 1 or 1
call('HSET', KEY.job .. id, 'state', 'failed', 'task', task, 'finished_at', now, 'attempts', attempt,
  'error', err, 'message', message, 'fingerprint', fingerprint, 'repeats', repeats)
keep(KEY.failed, id, LIMIT.failed)
emit(id, 'failed', record.queue, task, attempt, 'worker', worker, 'error', err, 'message', message,
  'fingerprint', fingerprint)
return 1
