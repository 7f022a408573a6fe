-- A worker says what it takes from and what it can run; again after the server lost that.
-- ARGV: worker, how many queues, the queues, then two a task: task, what those that enqueue by name have to know (JSON)
local worker, queues, last = ARGV[1], {}, 2 + tonumber(ARGV[2])
for i = 3, last do queues[#queues + 1] = ARGV[i] end
local tasks, about, had = {}, {}, {}
for i = last + 1, #ARGV, 2 do
  tasks[#tasks + 1] = ARGV[i]
  about[#about + 1], about[#about + 2] = ARGV[i], ARGV[i + 1]
  had[#had + 1], had[#had + 2] = ARGV[i], worker
end
if #queues > 0 then spread('SADD', KEY.queues, queues) end
call('DEL', KEY.can .. worker)
spread('SADD', KEY.can .. worker, tasks)
call('PEXPIRE', KEY.can .. worker, LIMIT.lease + 3600000)
spread('HSET', KEY.tasks, about)
spread('HSET', KEY.had, had)
return 1
