-- Write lines of the log: into the one log of all, and into the job's own.
-- ARGV, seven a line: job or '', task, level, logger, message, worker, the line as JSON
for i = 1, #ARGV, 7 do
  local id = ARGV[i]
  call('XADD', KEY.logs, '*', 'job', id, 'task', ARGV[i + 1], 'level', ARGV[i + 2], 'logger', ARGV[i + 3], 'message',
    ARGV[i + 4], 'worker', ARGV[i + 5])
  -- Lines come in groups, a moment late: a job that is forgotten by then gets no log of its own any more.
  if id ~= '' and call('HEXISTS', KEY.lines, id) + call('EXISTS', KEY.job .. id) > 0 then
    call('RPUSH', KEY.log .. id, ARGV[i + 6])
    call('LTRIM', KEY.log .. id, -LIMIT.log, -1)
    call('EXPIRE', KEY.log .. id, 604800)
  end
end
call('XTRIM', KEY.logs, 'MAXLEN', '~', LIMIT.logs)
return 1
