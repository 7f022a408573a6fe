-- Hold what a worker runs for as long again: out of the due range of its queue, its arguments kept, and in progress in
-- arq's own words, which is what arq's Job.status() looks at. First a moment behind the claim (jobs that are over by then
-- do without), then again before that time is over.
-- ARGV: worker, hold_ms, then two a job: id, token
local worker, hold_ms, ids, tokens = ARGV[1], tonumber(ARGV[2]), {}, {}
for i = 3, #ARGV, 2 do
  ids[#ids + 1], tokens[#tokens + 1] = ARGV[i], ARGV[i + 1]
end
for n, is_held in ipairs(holds(worker, ids, tokens)) do
  if is_held then
    local id, queue = ids[n], read_running(ids[n]).queue
    hold(queue, id, call('ZSCORE', queue, id) or now, hold_ms)
    call('PERSIST', KEY.payload .. id)
    call('SET', KEY.in_progress .. id, '1', 'PX', hold_ms)
  end
end
return 1
