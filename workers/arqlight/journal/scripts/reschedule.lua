-- An attempt ended without an end: back into its queue, to run again after a delay.
-- ARGV: worker, id, token, task, created_at, attempt, most_uncounted, delay_ms, failure (JSON, or '' for none)
-- Above 0, most_uncounted says how often in a row an attempt of this job may go uncounted (a shutdown cut it short).
-- Returns 1, or 0 when the worker held it no more.
local worker, id, task, attempt, delay, failure = ARGV[1], ARGV[2], ARGV[4], ARGV[6], tonumber(ARGV[8]), ARGV[9]
local record = release(worker, id, ARGV[3])
if not record then return 0 end

if task ~= '' then record.task = task end
local state = delay > 0 and 'scheduled' or 'queued'
local uncounted, tries = tonumber(call('HGET', KEY.job .. id, 'uncounted')) or 0, attempt
if uncounted < tonumber(ARGV[7]) then
  uncounted, tries = uncounted + 1, attempt - 1
else
  uncounted = 0
end
call('DEL', KEY.in_progress .. id)
if tries + 0 > 0 then call('SET', KEY.tries .. id, tries) else call('DEL', KEY.tries .. id) end
call('PERSIST', KEY.payload .. id)
if delay > 0 then
  call('ZADD', record.queue, now + delay, id)
else
  put_due(record.queue, id)
  ring(record.queue, 1)
end
record.attempts = tries
write(id, record, state, 'created_at', ARGV[5], 'lost', record.lost, 'uncounted', uncounted)
if failure ~= '' then remember(id, failure) end
let_past_expire(id, delay)
emit(id, state, record.queue, record.task, attempt, 'worker', worker)
return 1
