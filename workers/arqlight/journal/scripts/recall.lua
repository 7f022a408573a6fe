-- Which of the jobs a worker runs were called off (arq:abort). Those that nobody took note of in a day are let go.
-- ARGV: worker
-- Returns two a job: id, token of its claim; they leave the set.
local recalled, told = {}, {}
for _, id in ipairs(call('ZRANGE', KEY.abort, 0, -1)) do
  local record = call('SISMEMBER', KEY.claimed .. ARGV[1], id) == 1 and read_running(id)
  if record then
    recalled[#recalled + 1] = id
    told[#told + 1], told[#told + 2] = id, record.token
  end
end
spread('ZREM', KEY.abort, recalled)
call('ZREMRANGEBYSCORE', KEY.abort, '-inf', now - 86400000)
return told
