-- Put back the jobs that a worker holds but does not know of: the answer to its claim was lost on the way.
-- ARGV: worker, then the ids of the jobs that it does know of
-- Returns how many went back.
local known = {}
for i = 2, #ARGV do known[ARGV[i]] = true end
return unclaim(ARGV[1], known)
