-- Write a page into the generation that is being built. Nobody reads it yet.
-- A page is numbered: a repeated one is not done twice, for the second time it would find its own traces.
-- KEYS  1 import  2 what stood there before  3 names of what is new  4 claims  5 users  6 gone  7… hash and index of each kind
-- ARGV  1 token  2 version  3 number of the page  4 count  5… as in write.lua (the expectation is not looked at)
--       ops: 't' take out and note what was there, 'x' take out, 'p' put, 'd' removed by this import
-- Reply {'ok'} {'lost'} {'taken', position, claim, owner}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'lost'} end
if tonumber(redis.call('HGET', KEYS[1], 'page') or '0') >= tonumber(ARGV[3]) then return {'ok'} end
local own = own_keys(4)
local changes = read_changes(4, tonumber(ARGV[4]), own.kinds)
local olds = old_records(changes)
local fault = claim_fault(own.claims, changes, olds)
if fault then return {'taken', fault[1], fault[2], fault[3]} end
redis.call('HSET', KEYS[1], 'alive_unix_ms', integer(milliseconds()), 'page', ARGV[3])
release_claims(own.claims, changes, olds)
local new = {}
for n, change in ipairs(changes) do
  local name = name_of(change)
  if change.op == 't' then
    local before = olds[n] or redis.call('HGET', own.gone, name)
    if before then redis.call('HSET', KEYS[2], name, before) end
    if not olds[n] then new[#new + 1] = name end
  end
  if change.op == 'd' then
    redis.call('HSET', own.gone, name, ARGV[2])
  else
    store_record(own, change, olds[n], ARGV[2])
  end
end
if #new > 0 then redis.call('RPUSH', KEYS[3], table.concat(new, '\n')) end
return {'ok'}
