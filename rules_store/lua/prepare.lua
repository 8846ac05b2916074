-- Make an empty store ours, and heal a counter that lags behind the stream (then the history is not continuous: new epoch).
-- Data of an older schema become ours: records are read in both shapes, and 'from' says which of them may still be there.
-- KEYS  1 meta  2 epoch  3 sequence  4 generation  5 changes  6 log
-- ARGV  1 schema  2 epoch to use where there is none  3 first generation  4… older schemas that are read
-- Reply {'ok', epoch, sequence, generation} {'broken', key} {'schema', found}
if not is_type(KEYS[1], 'hash') then return {'broken', KEYS[1]} end
for n = 2, 4 do if not is_type(KEYS[n], 'string') then return {'broken', KEYS[n]} end end
for n = 5, 6 do if not is_type(KEYS[n], 'stream') then return {'broken', KEYS[n]} end end
local schema = redis.call('HGET', KEYS[1], 'schema')
local older = false
for n = 4, #ARGV do older = older or schema == ARGV[n] end
if schema and schema ~= ARGV[1] and not older then return {'schema', schema} end

local text = redis.call('GET', KEYS[3]) or '0'
local seq = string.match(text, '^%d+$') and tonumber(text) or 0
local top = 0
for n = 5, 6 do
  local newest = redis.call('XREVRANGE', KEYS[n], '+', '-', 'COUNT', 1)[1]
  if newest then top = math.max(top, tonumber(string.match(newest[1], '^(%d+)-'))) end
end
if top > seq or integer(seq) ~= text then
  seq = math.max(top, seq)
  redis.call('SET', KEYS[3], integer(seq))
  redis.call('SET', KEYS[2], ARGV[2])
end
if schema ~= ARGV[1] then redis.call('HSET', KEYS[1], 'schema', ARGV[1]) end
if older then redis.call('HSETNX', KEYS[1], 'from', schema) end
redis.call('SETNX', KEYS[2], ARGV[2])
redis.call('SETNX', KEYS[3], integer(seq))
redis.call('SETNX', KEYS[4], ARGV[3])
return {'ok', redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3]), redis.call('GET', KEYS[4])}
