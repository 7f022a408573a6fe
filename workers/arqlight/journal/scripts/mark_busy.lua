-- Say in arq's own words that jobs are in progress, until the end of their lease: what arq's Job.status() looks at. Jobs
-- that are over within moments do without, so this comes a little behind the claim.
-- ARGV: worker, lease_ms, then two a job: id, token
local worker, ids, tokens = ARGV[1], {}, {}
for i = 3, #ARGV, 2 do
  ids[#ids + 1], tokens[#tokens + 1] = ARGV[i], ARGV[i + 1]
end
for n, is_held in ipairs(holds(worker, ids, tokens)) do
  if is_held then call('SET', KEY.in_progress .. ids[n], '1', 'PX', ARGV[2]) end
end
return 1
