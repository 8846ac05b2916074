-- Give an import up, unless another one has taken its place.
-- KEYS  1 import      ARGV  1 token      Reply {'ok'}
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {'ok'}
