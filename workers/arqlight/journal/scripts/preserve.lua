-- Keep the arguments of jobs that wait. A plain arq client lets them expire a day after their job was due, asked or not;
-- here they expire only where somebody asked for another time, and never in a queue that is paused.
-- ARGV: queue, place to begin at, how many, arq's own expiry in ms
-- Returns the place to go on from, or -1 when the end was reached.
local queue, first, most, own = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local is_paused = call('SISMEMBER', KEY.paused, queue) == 1
local waiting = call('ZRANGE', queue, first, first + most - 1, 'WITHSCORES')
for i = 1, #waiting, 2 do
  local key = KEY.payload .. waiting[i]
  local left = call('PTTL', key)
  -- A client's clock is not the server's, and what it sent was under way for a moment.
  if left > 0 and (is_paused or math.abs(now + left - waiting[i + 1] - own) < 60000) then call('PERSIST', key) end
end
return #waiting == 2 * most and first + most or -1
