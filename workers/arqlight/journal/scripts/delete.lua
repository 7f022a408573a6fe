-- Remove a failed job permanently: its bytes, its failures, its result.
-- ARGV: id, and maybe: only when it failed no later than this, ms
-- Returns 1, or 0 when it is not in the failed list.
local id = ARGV[1]
local failed_at = call('ZSCORE', KEY.failed, id)
if not failed_at or ARGV[2] and tonumber(failed_at) > tonumber(ARGV[2]) then return 0 end
forget(id, 'asked')
-- A plain arq client may have put a new job of this id into a queue meanwhile: that one stays.
if call('EXISTS', KEY.payload .. id) == 0 then call('DEL', KEY.result .. id, KEY.tries .. id) end
return 1
