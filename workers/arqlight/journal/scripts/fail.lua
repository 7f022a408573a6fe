-- End a job that is out of tries: into the failed list, with its raw bytes and its last failure.
-- ARGV: worker, id, token, task, created_at, result, result_ttl_ms, in_progress_ms, attempt, failure (JSON), error, message, fingerprint
-- Returns 1, or 0 when the worker held it no more.
local worker, id, task, attempt, failure = ARGV[1], ARGV[2], ARGV[4], ARGV[9], ARGV[10]
local err, message, fingerprint = ARGV[11], ARGV[12], ARGV[13]
local record = release(worker, id, ARGV[3])
if not record then return 0 end

keep_payload(id)
settle(record.queue, id)
keep_result(id, ARGV[6], ARGV[7], ARGV[8])
remember(id, failure)
-- How often in a row this job has ended so: the same failure again after a retry is worth saying.
local before = call('HMGET', KEY.job .. id, 'fingerprint', 'repeats')
local repeats = before[1] == fingerprint and (before[2] or 0) + 1 or 1
record.task, record.attempts = task, attempt
write(id, record, 'failed', 'created_at', ARGV[5], 'finished_at', now_text, 'error', err, 'message', message,
  'fingerprint', fingerprint, 'repeats', repeats)
keep_past(id)
keep(KEY.failed, id, LIMIT.failed)
call('ZADD', KEY.groups, now_text, fingerprint)
call('ZADD', KEY.group .. fingerprint, now_text, id)
call('HSETNX', KEY.group_about .. fingerprint, 'first_seen', now_text)
call('HSET', KEY.group_about .. fingerprint, 'task', task, 'error', err, 'message', message)
tally('failed ' .. record.queue)
tally('ran' .. bucket(now - token_ms(record.token)) .. ' ' .. record.queue)
tally('ms_ran ' .. record.queue, now - token_ms(record.token))
count_ever('failures ' .. task, 1)
flush_counts()
emit(id, 'failed', record.queue, task, attempt, 'worker', worker, 'error', err, 'message', message,
  'fingerprint', fingerprint)
return 1
