-- Remove a failed job for good: its bytes, its failures, its result.
-- ARGV: id
-- Returns 1, or 0 when it is not in the failed list.
local id = ARGV[1]
if not call('ZSCORE', KEY.failed, id) then return 0 end
forget(id, 'asked')
-- A plain arq client may have put a new job of this id into a queue meanwhile: that one stays.
if call('EXISTS', KEY.payload .. id) == 0 then call('DEL', KEY.result .. id, KEY.tries .. id) end
return 1
