-- Begin an import: reserve a generation beside the valid one. Every generation that is not valid stands in the set of stale
-- ones from its first moment, so that a crash leaves nothing unknown behind.
-- KEYS  1 generation  2 sequence  3 changes  4 import  5 stale
-- ARGV  1 token  2 new generation  3 milliseconds after which a silent import is given up  4 changes kept
-- Reply {'ok', sequence of the beginning, valid generation} {'busy', token} {'broken', key}
if not is_type(KEYS[4], 'hash') then return {'broken', KEYS[4]} end
if not is_type(KEYS[5], 'set') then return {'broken', KEYS[5]} end
if not is_type(KEYS[2], 'string') then return {'broken', KEYS[2]} end
if not is_type(KEYS[3], 'stream') then return {'broken', KEYS[3]} end
local now = milliseconds()
local other = redis.call('HGET', KEYS[4], 'token')
if other and other ~= ARGV[1] and now - (tonumber(redis.call('HGET', KEYS[4], 'alive_unix_ms')) or 0) < tonumber(ARGV[3]) then
  return {'busy', other}
end
local before = counted(redis.call('GET', KEYS[2]))
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if not before then return {'broken', KEYS[2]} end
if newest and number_of(newest) > before then return {'broken', KEYS[3]} end
if not is_type(KEYS[1], 'string') then return {'broken', KEYS[1]} end

-- The begin takes a sequence number of its own: the version of everything that is imported.
local seq = integer(redis.call('INCR', KEYS[2]))
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], seq .. '-0', 'k', '', 'i', ARGV[2], 'o', 'n', 'w', ARGV[1],
  'l', last_token(newest), 'e', '')
redis.call('SADD', KEYS[5], ARGV[2])
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[4], 'token', ARGV[1], 'gen', ARGV[2], 'from', seq, 'alive_unix_ms', integer(now))
return {'ok', seq, redis.call('GET', KEYS[1])}
