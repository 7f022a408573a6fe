-- Commit jobs that succeeded, many at once.
-- ARGV: worker, then six a job: id, token, task, result, result_ttl_ms, in_progress_ms
-- Returns how many of them this worker still held.
local worker, finished = ARGV[1], 0
for i = 2, #ARGV, 6 do
  local id, task = ARGV[i], ARGV[i + 2]
  local record = release(worker, id, ARGV[i + 1])
  if record then
    settle(id, record.queue, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
    call('HSET', KEY.job .. id, 'state', 'succeeded', 'task', task, 'finished_at', now)
    keep(KEY.succeeded, id, LIMIT.succeeded)
    emit(id, 'succeeded', record.queue, task, record.attempts, 'worker', worker)
    finished = finished + 1
  end
end
return finished
