-- Note anew what stands in the valid generation for entities that the import names: others changed them meanwhile.
-- KEYS  1 import  2 what stood there before  3 hash  4 gone  (valid)      ARGV  1 token  2 kind  3… ids
-- Reply {'ok'} {'lost'}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'lost'} end
for n = 3, #ARGV do
  local name = ARGV[2] .. ':' .. ARGV[n]
  local before = redis.call('HGET', KEYS[3], ARGV[n]) or redis.call('HGET', KEYS[4], name)
  if before then redis.call('HSET', KEYS[2], name, before) else redis.call('HDEL', KEYS[2], name) end
end
return {'ok'}
