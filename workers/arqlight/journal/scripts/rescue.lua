-- Return the jobs of workers whose lease ran out to their queues. The lost attempt counts.
-- After the server was away, every lease has run out: only who has had the server for a whole lease rescues, so that the
-- living have had as long to renew theirs. Whoever did not ask for half a lease begins anew.
-- ARGV: at most how many jobs in this call, error, message, fingerprint, who rescues, and maybe: how long it must have
-- asked, ms, instead of a lease
-- Returns how many jobs came back.
local left = tonumber(ARGV[1])
local asks_since = call('GET', KEY.rescuer .. ARGV[5]) or now_text
call('SET', KEY.rescuer .. ARGV[5], asks_since, 'PX', LIMIT.lease / 2)
if now - asks_since < tonumber(ARGV[6] or LIMIT.lease) then return 0 end
local rescued = 0
for _, worker in ipairs(call('ZRANGEBYSCORE', KEY.workers, '-inf', now)) do
  for _, id in ipairs(call('SRANDMEMBER', KEY.claimed .. worker, left)) do
    local record = read_running(id)
    call('SREM', KEY.claimed .. worker, id)
    if record and record.worker == worker then
      let_go(worker, record.queue, { id })
      call('DEL', KEY.in_progress .. id)
      call('SET', KEY.tries .. id, record.attempts)
      call('PERSIST', KEY.payload .. id)
      put_due(record.queue, id)
      write(id, record, 'queued', 'lost', record.lost + 1)
      remember(id, cjson.encode({
        kind = 'failure', attempt = tonumber(record.attempts), error = ARGV[2], message = ARGV[3], trace = '',
        fingerprint = ARGV[4], worker = worker, at = now,
        started = tonumber(token_ms(record.token)) }))
      let_past_expire(id, 0)
      emit(id, 'queued', record.queue, record.task, record.attempts, 'reason', 'rescued', 'worker', worker)
      ring(record.queue, 1)
      rescued = rescued + 1
    end
    left = left - 1
  end
  if left <= 0 then break end
  if call('SCARD', KEY.claimed .. worker) == 0 then
    call('ZREM', KEY.workers, worker)
    call('ZADD', KEY.dead, now_text, worker)
    call('ZREMRANGEBYSCORE', KEY.dead, '-inf', now - 3600000)
  end
end
return rescued
