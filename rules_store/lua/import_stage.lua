-- Write a page into the generation that is being built. Nobody reads it yet.
-- KEYS  1 import  2 claims  3… hash and index of each kind, all of the new generation
-- ARGV  1 token  2 version  3 count  4… as in write.lua (the expectation is not looked at)
-- Reply {'ok'} {'lost'} {'taken', position, claim, owner}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'lost'} end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'alive_unix_ms', integer(time[1] * 1000 + math.floor(time[2] / 1000)))
local changes = read_changes(3, tonumber(ARGV[3]), 3)
local olds = old_records(changes)
local fault = claim_fault(KEYS[2], changes, olds)
if fault then return {'taken', fault[1], fault[2], fault[3]} end
release_claims(KEYS[2], changes, olds)
for _, change in ipairs(changes) do store_record(KEYS[2], change.hash, change.index, change, ARGV[2]) end
return {'ok'}
