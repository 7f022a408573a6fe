-- Which of the jobs a worker runs were called off (arq:abort). Those that nobody took note of in a day are let go.
-- ARGV: worker
-- Returns their ids; they leave the set.
local recalled = {}
for _, id in ipairs(call('ZRANGE', KEY.abort, 0, -1)) do
  if call('SISMEMBER', KEY.claimed .. ARGV[1], id) == 1 then recalled[#recalled + 1] = id end
end
spread('ZREM', KEY.abort, recalled)
call('ZREMRANGEBYSCORE', KEY.abort, '-inf', now - 86400000)
return recalled
