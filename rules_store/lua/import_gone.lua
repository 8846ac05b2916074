-- Take tombstones over into the generation that is being built.
-- KEYS  1 import  2 gone (new)      ARGV  1 token  2… name, version
-- Reply {'ok'} {'lost'}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'lost'} end
redis.call('HSET', KEYS[1], 'alive_unix_ms', integer(milliseconds()))
for n = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[n], ARGV[n + 1]) end
return {'ok'}
