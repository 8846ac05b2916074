-- Note in the log that a customer was erased. It belongs to nobody's chain but the carrier's; followers see a note.
-- KEYS  1 sequence  2 changes  3 recent  4 touch  5 log  6 heads  7 secrets
-- ARGV  1 token  2 changes kept  3 tokens kept  4 customer  5 how much of what, a JSON text  6… author (versions.lua)
-- Reply {'ok', sequence} {'broken', key}
if not is_type(KEYS[3], 'zset') then return {'broken', KEYS[3]} end
local known = redis.call('ZSCORE', KEYS[3], ARGV[1])
if known then
  redis.call('SET', KEYS[4], ARGV[1])
  return {'ok', integer(tonumber(known))}
end
if not is_type(KEYS[1], 'string') then return {'broken', KEYS[1]} end
if not is_type(KEYS[2], 'stream') then return {'broken', KEYS[2]} end
local before = counted(redis.call('GET', KEYS[1]))
if not before then return {'broken', KEYS[1]} end
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if newest and number_of(newest) > before then return {'broken', KEYS[2]} end
local logged, author = log_keys(5), read_author(6)
local broken = broken_log(logged)
if broken then return {'broken', broken} end

local seq = integer(before + 1)
local appended = append_log(logged, author, integer(milliseconds()), {seq = seq, first = seq, last = seq, count = '1',
  kind = 'customer', id = ARGV[4], op = 'e', customer = '', customer_before = redis.call('HGET', logged.heads, '') or '',
  previous = '', before = '', after = ARGV[5]})
if not appended then return {'broken', logged.log} end
redis.call('SET', KEYS[1], seq)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], seq .. '-0', 'k', '', 'i', '', 'o', 'n', 'w', ARGV[1],
  'l', last_token(newest), 'e', '')
redis.call('HSET', logged.heads, '', seq)
redis.call('ZADD', KEYS[3], seq, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[3]))
return {'ok', seq}
