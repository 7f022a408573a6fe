-- Stop, or go on, claiming from a queue; in all workers at once, for each claim looks here.
-- ARGV: queue, "1" to pause, "0" to resume
-- Returns 1, or 0 when it was so already.
local queue = ARGV[1]
if ARGV[2] == '1' then return call('SADD', KEY.paused, queue) end
local changed = call('SREM', KEY.paused, queue)
if changed == 1 then ring(queue, math.min(call('ZCOUNT', queue, '-inf', now_text), LIMIT.tokens)) end
return changed
