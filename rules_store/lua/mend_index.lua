-- Have an index say what there is, for the ids given: after something else than these scripts wrote to it, or it was lost.
-- KEYS  1 generation  2 hash  3 index  4 users      ARGV  1 generation  2 kind  3… ids
-- Reply {'ok'} {'generation', name} {'broken', key}
if not is_type(KEYS[1], 'string') then return {'broken', KEYS[1]} end
local generation = redis.call('GET', KEYS[1])
if generation ~= ARGV[1] then return {'generation', generation or ''} end
if not is_type(KEYS[2], 'hash') then return {'broken', KEYS[2]} end
if not is_type(KEYS[3], 'zset') then return {'broken', KEYS[3]} end
local users = ARGV[2] == 'user' and is_type(KEYS[4], 'zset')
for n = 3, #ARGV do
  local record = redis.call('HGET', KEYS[2], ARGV[n])
  if record then
    redis.call('ZADD', KEYS[3], 0, ARGV[n])
    if users then redis.call('ZADD', KEYS[4], 0, user_member(record, ARGV[n])) end
  else
    redis.call('ZREM', KEYS[3], ARGV[n])
  end
end
return {'ok'}
