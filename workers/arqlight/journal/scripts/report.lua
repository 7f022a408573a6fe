-- Write how far running jobs are, but only while somebody looks.
-- ARGV: two a job: id, progress (JSON)
-- Returns 1, or 0 when nobody looks and nothing was written.
if call('EXISTS', KEY.watched) == 0 then return 0 end
-- What tells of its progress no more is over: a moment later than its end, so this is not done with each ending.
if call('HLEN', KEY.progress) > 2000 + #ARGV then
  local over = {}
  for _, id in ipairs(call('HKEYS', KEY.progress)) do
    if not read_running(id) then over[#over + 1] = id end
  end
  spread('HDEL', KEY.progress, over)
end
spread('HSET', KEY.progress, ARGV)
call('EXPIRE', KEY.progress, 3600)
return 1
