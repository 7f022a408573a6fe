-- Give back a slot taken by take_slot, and note how long it was held: the line moves at that pace.
-- ARGV: name of the limit, holder, hold_ms as it was taken with, longest_ms
-- Returns 1, or 0 when it was no longer held.
local slots, line = KEY.slots .. ARGV[1], KEY.slot_line .. ARGV[1]
local ends = tonumber(call('ZSCORE', slots, ARGV[2]))
if not ends then return 0 end
call('ZREM', slots, ARGV[2])
local took = math.max(now - (ends - tonumber(ARGV[3])), 0)
local before = tonumber(call('HGET', line, 'took')) or took
call('HSET', line, 'took', string.format('%.0f', (3 * before + took) / 4))
call('PEXPIRE', line, ARGV[3] + ARGV[4])
return 1
