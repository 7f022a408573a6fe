-- Put back the jobs that a worker holds but does not know of: the answer to its claim was lost on the way.
-- ARGV: worker, then two a job that it does know of: id, token
-- Returns how many went back.
local known = {}
for i = 2, #ARGV, 2 do
  known[ARGV[i]] = known[ARGV[i]] or {}
  known[ARGV[i]][ARGV[i + 1]] = true
end
return unclaim(ARGV[1], known)
