-- Read the failed list grouped by what made the jobs fail, the last seen first. Writes nothing.
-- ARGV: first place, how many, how many steps of the spark line, how long a step is, ms
-- Returns: how many groups there are, then {fingerprint, jobs, last seen, about, steps, oldest first}
local steps, step_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local answer = { call('ZCARD', KEY.groups) }
local found = call('ZREVRANGE', KEY.groups, ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
for i = 1, #found, 2 do
  local key, spark = KEY.group .. found[i], {}
  for step = steps, 1, -1 do
    spark[#spark + 1] = call('ZCOUNT', key, '(' .. (now - step * step_ms), now - (step - 1) * step_ms)
  end
  answer[#answer + 1] = { found[i], call('ZCARD', key), found[i + 1], call('HGETALL', KEY.group_about .. found[i]), spark }
end
return answer
