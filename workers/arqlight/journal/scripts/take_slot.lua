-- A slot under a limit of so many at once, over all workers. Who finds none free gets a place in a line: each place is as
-- much later than the one before as it takes until a slot is free, so that those who wait come back by and by. That is the
-- average, or longer while one is held for longer.
-- ARGV: name of the limit, how many at once, holder, hold_ms (free again by then, whatever became of the holder), longest_ms
-- Returns 0 when the slot is taken, else the ms after which to ask again, longest_ms at most.
local slots, line = KEY.slots .. ARGV[1], KEY.slot_line .. ARGV[1]
local most, hold, longest = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
call('ZREMRANGEBYSCORE', slots, '-inf', now)
if call('ZCARD', slots) < most then
  call('ZADD', slots, now + hold, ARGV[3])
  call('PEXPIRE', slots, hold)
  return 0
end
local told = call('HMGET', line, 'took', 'last')
local oldest = now + hold - tonumber(call('ZRANGE', slots, 0, 0, 'WITHSCORES')[2])
local step = math.max(tonumber(told[1]) or 0, oldest, 1) / most
local place = math.min(math.max(tonumber(told[2]) or 0, now) + step, now + longest)
call('HSET', line, 'last', string.format('%.0f', math.ceil(place)))
call('PEXPIRE', line, hold + longest)
return math.ceil(place - now)
