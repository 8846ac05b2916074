-- Switch to the new generation. Small, whatever the size of the import.
-- The log gets one entry, which points to what was changed: 'a' is the version of all that was imported, under which what stood
-- there before is kept.
-- KEYS  1 generation  2 sequence  3 changes  4 import  5 stale  6 recent  7 touch  8 log  9 heads  10 secrets  11 imports
-- ARGV  1 token  2 valid generation  3 new generation  4 sequence up to which changes were taken over  5 changes kept
--       6 version of what was imported  7 how many entities  8 for how long writers are held when we are behind (ms, 0 = not)
--       9… author (versions.lua)
-- Reply {'ok', sequence} {'behind', sequence} {'lost'} {'broken', key}
local known = redis.call('ZSCORE', KEYS[6], ARGV[1])
if known then
  redis.call('SET', KEYS[7], ARGV[1])
  return {'ok', integer(tonumber(known))}
end
if redis.call('HGET', KEYS[4], 'token') ~= ARGV[1] then return {'lost'} end
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return {'lost'} end
local now = redis.call('GET', KEYS[2])
if now ~= ARGV[4] then
  if ARGV[8] ~= '0' then redis.call('HSET', KEYS[4], 'hold_until_unix_ms', integer(milliseconds() + tonumber(ARGV[8]))) end
  return {'behind', now}
end
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if newest and number_of(newest) > tonumber(now) then return {'broken', KEYS[3]} end
local logged, author = log_keys(8), read_author(9)
local broken = broken_log(logged)
if broken then return {'broken', broken} end
if not is_type(KEYS[11], 'zset') then return {'broken', KEYS[11]} end
local seq = integer(tonumber(now) + 1)
local appended = append_log(logged, author, integer(milliseconds()), {seq = seq, first = seq, last = seq, count = ARGV[7],
  kind = '', id = ARGV[3], op = 'i', customer = '*', customer_before = redis.call('HGET', logged.heads, '*') or '',
  previous = '', before = '', after = ARGV[6]})
if not appended then return {'broken', logged.log} end
redis.call('SET', KEYS[2], seq)
redis.call('SET', KEYS[1], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], seq .. '-0', 'k', '', 'i', ARGV[3], 'o', 'i', 'w', ARGV[1],
  'l', last_token(newest), 'e', '')
redis.call('HSET', logged.heads, '*', seq)
redis.call('ZADD', KEYS[11], seq, ARGV[6] .. ' ' .. ARGV[3])
redis.call('SREM', KEYS[5], ARGV[3])
redis.call('SADD', KEYS[5], ARGV[2])
redis.call('ZADD', KEYS[6], seq, ARGV[1])
redis.call('DEL', KEYS[4])
return {'ok', seq}
