-- Make an empty store ours, and heal a counter that lags behind the stream (then the history is not continuous: new epoch).
-- KEYS  1 meta  2 epoch  3 sequence  4 generation  5 changes
-- ARGV  1 schema  2 epoch to use where there is none  3 first generation
-- Reply {'ok', epoch, sequence, generation} {'broken', key} {'schema', found}
if not is_type(KEYS[1], 'hash') then return {'broken', KEYS[1]} end
for n = 2, 4 do if not is_type(KEYS[n], 'string') then return {'broken', KEYS[n]} end end
if not is_type(KEYS[5], 'stream') then return {'broken', KEYS[5]} end
local schema = redis.call('HGET', KEYS[1], 'schema')
if schema and schema ~= ARGV[1] then return {'schema', schema} end

local text = redis.call('GET', KEYS[3]) or '0'
local seq = string.match(text, '^%d+$') and tonumber(text) or 0
local newest = redis.call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)[1]
local top = newest and tonumber(string.match(newest[1], '^(%d+)-')) or 0
if top > seq or integer(seq) ~= text then
  seq = math.max(top, seq)
  redis.call('SET', KEYS[3], integer(seq))
  redis.call('SET', KEYS[2], ARGV[2])
end
if not schema then redis.call('HSET', KEYS[1], 'schema', ARGV[1]) end
redis.call('SETNX', KEYS[2], ARGV[2])
redis.call('SETNX', KEYS[3], integer(seq))
redis.call('SETNX', KEYS[4], ARGV[3])
return {'ok', redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3]), redis.call('GET', KEYS[4])}
