-- Copy records of one kind from the valid generation into the new one: a page of the index, or the ids given.
-- KEYS  1 import  2 hash  3 index  (valid)  4 claims  5 hash  6 index  (new)
-- ARGV  1 token  2 kind  3 start of the range or ''  4 page size  5… ids (when there is no start)
-- Reply {'ok', last id or ''} {'lost'} {'taken', id, claim, owner}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'lost'} end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'alive_unix_ms', integer(time[1] * 1000 + math.floor(time[2] / 1000)))
local ids = {}
if ARGV[3] ~= '' then
  ids = redis.call('ZRANGE', KEYS[3], ARGV[3], '+', 'BYLEX', 'LIMIT', 0, ARGV[4])
else
  for n = 5, #ARGV do ids[n - 4] = ARGV[n] end
end
local changes = {}
for n, id in ipairs(ids) do changes[n] = {kind = ARGV[2], id = id, claims = {}} end
local olds = {}
for n, id in ipairs(ids) do olds[n] = redis.call('HGET', KEYS[5], id) end
release_claims(KEYS[4], changes, olds)
for n, id in ipairs(ids) do
  local record = redis.call('HGET', KEYS[2], id)
  if record then
    for _, claim in ipairs(claims_of(record)) do
      local me = ARGV[2] .. ':' .. id
      local owner = redis.call('HGET', KEYS[4], claim)
      if owner and owner ~= me then return {'taken', id, claim, owner} end
      redis.call('HSET', KEYS[4], claim, me)
    end
    redis.call('HSET', KEYS[5], id, record)
    redis.call('ZADD', KEYS[6], 0, id)
  else
    redis.call('HDEL', KEYS[5], id)
    redis.call('ZREM', KEYS[6], id)
  end
end
return {'ok', ids[#ids] or ''}
