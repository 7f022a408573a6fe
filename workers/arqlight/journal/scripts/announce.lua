-- A worker says what it is, what it takes from and what it can run: before its first claim, which makes it one that lives,
-- and again after the server lost that.
-- ARGV: worker, how many queues, the queues, how many tasks, two a task: task, what those that enqueue by name have to
-- know (JSON); then the fields and values of its record (may be none)
local worker, at = ARGV[1], 2
local function take(number)
  local taken = {}
  for i = at + 1, at + number do taken[#taken + 1] = ARGV[i] end
  at = at + number + 1
  return taken
end
local queues = take(tonumber(ARGV[at]))
local about, tasks, had = take(2 * ARGV[at]), {}, {}
for i = 1, #about, 2 do
  tasks[#tasks + 1] = about[i]
  had[#had + 1], had[#had + 2] = about[i], worker
end
if #queues > 0 then spread('SADD', KEY.queues, queues) end
call('DEL', KEY.can .. worker)
spread('SADD', KEY.can .. worker, tasks)
call('PEXPIRE', KEY.can .. worker, LIMIT.lease + 3600000)
spread('HSET', KEY.tasks, about)
spread('HSET', KEY.had, had)
write_worker(worker, { unpack(ARGV, at) })
return 1
