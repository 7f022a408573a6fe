-- A turn under a limit of so many a minute, over all workers: the generic cell rate algorithm (ITU-T I.371), with no burst
-- above one interval's worth.
-- ARGV: name of the limit, how many a minute, burst
-- Returns ms to wait before the turn; the turn is taken when that is 0.
local key, interval, burst = KEY.turns .. ARGV[1], 60000 / tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(call('GET', key) or 0), now)
local wait = due - now - interval * (burst - 1)
if wait > 0 then return math.ceil(wait) end
call('SET', key, string.format('%.3f', due + interval), 'PX', math.ceil(due + interval - now) + 1000)
return 0
