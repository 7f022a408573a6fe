-- Commit jobs that succeeded, many at once.
-- ARGV: worker, then ten a job: id, token, queue, attempt, lost ('-' when it never ran before), task, created_at, result,
-- result_ttl_ms, in_progress_ms
-- Returns how many of them this worker still held.
local worker, ids, tokens, by_queue, finished = ARGV[1], {}, {}, {}, {}
for i = 2, #ARGV, 10 do
  local n = #ids + 1
  ids[n], tokens[n] = ARGV[i], ARGV[i + 1]
end
for n, is_held in ipairs(holds(worker, ids, tokens)) do
  if is_held then
    local queue = ARGV[10 * n - 6]
    local mine = by_queue[queue] or {}
    mine[#mine + 1] = ids[n]
    by_queue[queue] = mine
    finished[#finished + 1] = n
  end
end
if #finished == 0 then return 0 end

for queue, mine in pairs(by_queue) do
  let_go(worker, queue, mine)
  spread('ZREM', queue, mine)
  if call('EXISTS', KEY.abort) == 1 then spread('ZREM', KEY.abort, mine) end
end
local lines, places, gone, spans = {}, {}, {}, {}
for _, n in ipairs(finished) do
  local id, i, k = ids[n], 10 * n - 8, #lines
  local queue, attempt, task = ARGV[i + 2], ARGV[i + 3], ARGV[i + 5]
  lines[k + 1] = id
  lines[k + 2] = line(worker, tokens[n], attempt, ARGV[i + 4], ARGV[i + 6], now_text, queue, task)
  places[k + 1], places[k + 2] = now_text, id
  gone[k + 1], gone[k + 2] = KEY.payload .. id, KEY.in_progress .. id
  if attempt ~= '1' then call('DEL', KEY.tries .. id) end
  local began = tokens[n] .. ' ' .. queue -- the same for all jobs of a claim
  spans[began] = (spans[began] or 0) + 1
end
for began, number in pairs(spans) do
  local token, queue = string.match(began, '^(%S+) (.*)$')
  local ms = now - token_ms(token)
  tally('ran' .. bucket(ms) .. ' ' .. queue, number)
  tally('ms_ran ' .. queue, ms * number)
end
remove(gone)
for _, n in ipairs(finished) do
  local id, i = ids[n], 10 * n - 8
  local queue, attempt, task = ARGV[i + 2], ARGV[i + 3], ARGV[i + 5]
  keep_result(id, ARGV[i + 7], ARGV[i + 8], ARGV[i + 9])
  emit(id, 'succeeded', queue, task, attempt, 'worker', worker)
end
for queue, mine in pairs(by_queue) do tally('succeeded ' .. queue, #mine) end
flush_counts()
spread('HSET', KEY.lines, lines)
spread('ZADD', KEY.succeeded, places)

-- Held to its bound: the oldest leave, a few more at a time than come.
local over = math.min(call('ZCARD', KEY.succeeded) - LIMIT.succeeded, #finished + 100)
if over > 0 then
  local oldest, trimmed, others = call('ZPOPMIN', KEY.succeeded, over), {}, {}
  for i = 1, #oldest, 2 do trimmed[#trimmed + 1] = oldest[i] end
  for n, text in ipairs(call('HMGET', KEY.lines, unpack(trimmed))) do
    others[#others + 1] = KEY.log .. trimmed[n]
    if text and not string.find(text, '^%S+ %S+ %S+ %- ') then
      others[#others + 1], others[#others + 2] = KEY.job .. trimmed[n], KEY.history .. trimmed[n]
    end
  end
  spread('HDEL', KEY.lines, trimmed)
  remove(others)
end
return #finished
