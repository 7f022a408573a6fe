-- Put a failed job back into its queue as it came: its bytes unread, 0 attempts.
-- ARGV: id, history entry (JSON), and maybe: only when it failed no later than this, ms
-- Returns 'queued', 'newer', 'missing', 'expired' (its bytes are gone) or 'taken' (its id waits or runs again already).
local id = ARGV[1]
local failed_at = call('ZSCORE', KEY.failed, id)
if not failed_at then return 'missing' end
if ARGV[3] and tonumber(failed_at) > tonumber(ARGV[3]) then return 'newer' end
if call('EXISTS', KEY.payload .. id) == 1 then return 'taken' end
if call('EXISTS', KEY.kept .. id) == 0 then return 'expired' end

local record = call('HMGET', KEY.job .. id, 'queue', 'task')
call('RENAME', KEY.kept .. id, KEY.payload .. id)
call('DEL', KEY.tries .. id, KEY.result .. id, KEY.in_progress .. id)
ungroup(id)
call('ZREM', KEY.failed, id)
note_queue(record[1])
put_due(record[1], id)
call('HSET', KEY.job .. id, 'state', 'queued', 'attempts', 0, 'lost', 0)
call('HDEL', KEY.job .. id, 'started_at', 'finished_at', 'worker', 'uncounted')
remember(id, ARGV[2])
let_past_expire(id, 0)
count_ever('retried ' .. record[1], 1)
emit(id, 'queued', record[1], record[2], 0, 'reason', 'retried')
ring(record[1], 1)
return 'queued'
