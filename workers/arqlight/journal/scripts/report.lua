-- Write how far running jobs are, but only while somebody looks.
-- ARGV: two a job: id, progress (JSON)
-- Returns 1, or 0 when nobody looks and nothing was written.
if call('EXISTS', KEY.watched) == 0 then return 0 end
spread('HSET', KEY.progress, ARGV)
call('EXPIRE', KEY.progress, 3600)
return 1
