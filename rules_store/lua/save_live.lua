-- Save and remove live state of one shard, and drop a few of its expired bindings on the way.
-- KEYS  1 bindings  2 expiries  3 verdicts  4 live stream
-- ARGV  1 entries kept  2 expired before (Unix ms, '' = leave them)  3 expired at most  4 op, field, value, expires …
--       ops: 'b' binding, 'B' binding removed, 'v' verdict, 'V' verdict removed
-- Reply {'ok', expired bindings removed} {'broken', key}
local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
local wanted = {'hash', 'zset', 'hash', 'stream'}
for n = 1, 4 do if not is_type(KEYS[n], wanted[n]) then return {'broken', KEYS[n]} end end
for at = 4, #ARGV, 4 do
  local op, field, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if op == 'b' then
    redis.call('HSET', KEYS[1], field, value)
    redis.call('ZADD', KEYS[2], ARGV[at + 3], field)
  elseif op == 'B' then
    redis.call('HDEL', KEYS[1], field)
    redis.call('ZREM', KEYS[2], field)
  elseif op == 'v' then
    redis.call('HSET', KEYS[3], field, value)
  else
    redis.call('HDEL', KEYS[3], field)
  end
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[1], '*', 'o', op, 'f', field, 'e', value)
end
local removed = 0
if ARGV[2] ~= '' then
  local old = redis.call('ZRANGE', KEYS[2], '-inf', '(' .. ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3])
  for _, field in ipairs(old) do
    redis.call('HDEL', KEYS[1], field)
    redis.call('ZREM', KEYS[2], field)
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[1], '*', 'o', 'B', 'f', field, 'e', '')
  end
  removed = #old
end
return {'ok', removed}
