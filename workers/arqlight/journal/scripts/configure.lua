-- Change what is set for a queue or a task while workers run.
-- ARGV: "queue:<key>" or "task:<name>", JSON of what is set now ('' for nothing)
local name = ARGV[1]
if ARGV[2] == '' then call('HDEL', KEY.overrides, name) else call('HSET', KEY.overrides, name, ARGV[2]) end
call('PUBLISH', KEY.overridden, name)
return 1
