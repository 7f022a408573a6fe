-- An attempt ended without an end: back into its queue, to run again after a delay.
-- ARGV: worker, id, token, task, attempt, tries, delay_ms, failure (JSON, or '' for none)
-- tries is what counts from now on: the attempt's number, or one less for an attempt that a shutdown cut short.
-- Returns 1, or 0 when the worker held it no more.
local worker, id, task, attempt, delay, failure = ARGV[1], ARGV[2], ARGV[4], ARGV[5], tonumber(ARGV[7]), ARGV[8]
local record = release(worker, id, ARGV[3])
if not record then return 0 end

if task == '' then task = record.task end
local state = delay > 0 and 'scheduled' or 'queued'
call('DEL', KEY.in_progress .. id)
call('SET', KEY.tries .. id, ARGV[6], 'EX', 88400)
call('ZADD', record.queue, now + delay, id)
call('HSET', KEY.job .. id, 'state', state, 'task', task, 'attempts', ARGV[6])
if failure ~= '' then remember(id, failure) end
emit(id, state, record.queue, task, attempt, 'worker', worker)
call('PUBLISH', KEY.bell, record.queue)
return 1
