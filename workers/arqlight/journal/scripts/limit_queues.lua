-- Settle how many jobs of each queue may run at once, over all workers: what is set on the page, else what this worker
-- declares, else what another living worker of that queue declares, else nothing.
-- ARGV: three a queue: queue, set on the page ('' for nothing), declared ('' for nothing)
-- Returns 1.
local function declared_by_another(queue)
  for _, worker in ipairs(living_workers()) do
    local limit = read_worker(worker, 'limits')[queue]
    if limit then return limit end
  end
end

for i = 1, #ARGV, 3 do
  local queue, limit = ARGV[i], ARGV[i + 1]
  if limit == '' then limit = ARGV[i + 2] end
  local before = call('HGET', KEY.limits, queue)
  if limit == '' and before then limit = declared_by_another(queue) or '' end
  if limit == '' then
    if before then
      call('HDEL', KEY.limits, queue)
      ring(queue, LIMIT.tokens)
    end
  elseif tostring(limit) ~= before then
    call('HSET', KEY.limits, queue, limit)
    if before and tonumber(limit) > tonumber(before) then ring(queue, LIMIT.tokens) end
  end
end
return 1
