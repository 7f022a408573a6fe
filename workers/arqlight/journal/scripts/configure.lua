-- Change what is set for a queue or a task while workers run, and write down who changed what.
-- ARGV: "queue:<key>" or "task:<name>", JSON of what is set now ('' for nothing), audit entry (JSON)
local name = ARGV[1]
if ARGV[2] == '' then call('HDEL', KEY.overrides, name) else call('HSET', KEY.overrides, name, ARGV[2]) end
call('LPUSH', KEY.audit, ARGV[3])
call('LTRIM', KEY.audit, 0, LIMIT.audit - 1)
call('PUBLISH', KEY.overridden, name)
return 1
