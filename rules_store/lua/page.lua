#!lua flags=no-writes
-- Read one page of a kind in the order of the ids.
-- KEYS  1 generation  2 hash  3 index  4 sequence      ARGV  1 generation  2 start of the range ('-' or '(id')  3 page size
-- Reply {'ok', {id, record or false, …}, sequence or '', records, ids in the index} {'generation', name} {'broken', key}
local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
if not is_type(KEYS[1], 'string') then return {'broken', KEYS[1]} end
local generation = redis.call('GET', KEYS[1]) or ARGV[1]
if generation ~= ARGV[1] then return {'generation', generation} end
if not is_type(KEYS[2], 'hash') then return {'broken', KEYS[2]} end
if not is_type(KEYS[3], 'zset') then return {'broken', KEYS[3]} end
local ids = redis.call('ZRANGE', KEYS[3], ARGV[2], '+', 'BYLEX', 'LIMIT', 0, ARGV[3])
local reply = {}
for at = 1, #ids, 1000 do  -- as many arguments as Lua's stack surely takes
  local records = redis.call('HMGET', KEYS[2], unpack(ids, at, math.min(at + 999, #ids)))
  for n = 1, #records do
    reply[2 * (at + n) - 3] = ids[at + n - 1]
    reply[2 * (at + n) - 2] = records[n]
  end
end
local seq = is_type(KEYS[4], 'string') and redis.call('GET', KEYS[4]) or ''
return {'ok', reply, seq, redis.call('HLEN', KEYS[2]), redis.call('ZCARD', KEYS[3])}
