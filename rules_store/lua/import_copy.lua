-- Copy records of one kind from the valid generation into the new one: a page of the index, or the ids given.
-- KEYS  1 import  2 hash  3 index  4 gone  (valid)  5 hash  6 index  7 claims  8 users  9 gone  (new)
--       10 claims  (valid)
-- ARGV  1 token  2 kind  3 start of the range or ''  4 page size  5… ids (when there is no start)
-- Reply {'ok', last id or ''} {'lost'} {'taken', id, claim, owner} {'broken', key}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'lost'} end
redis.call('HSET', KEYS[1], 'alive_unix_ms', integer(milliseconds()))
local ids, paged = {}, ARGV[3] ~= ''
if paged then
  -- What the index does not name would be lost.
  if not is_type(KEYS[2], 'hash') then return {'broken', KEYS[2]} end
  if not is_type(KEYS[3], 'zset') or redis.call('HLEN', KEYS[2]) ~= redis.call('ZCARD', KEYS[3]) then return {'broken', KEYS[3]} end
  ids = redis.call('ZRANGE', KEYS[3], ARGV[3], '+', 'BYLEX', 'LIMIT', 0, ARGV[4])
else
  for n = 5, #ARGV do ids[n - 4] = ARGV[n] end
end
local own = own_keys(7)
local imported = redis.call('HGET', KEYS[1], 'from')

-- Whether the holder of a claim is only a copy that is behind: the valid generation has given the claim to another meanwhile. What
-- changed is copied again before the switch. What the import itself has put there is not behind.
local function is_behind(claim, owner, me)
  if redis.call('HGET', KEYS[10], claim) ~= me then return false end
  local kind, id = string.match(owner, '^([^:]*):(.*)$')
  local record = kind and redis.call('HGET', beside(KEYS[5], kind), id)
  return not record or version_of(record) ~= tonumber(imported)
end

local changes, olds = {}, {}
for n, id in ipairs(ids) do
  changes[n] = {kind = ARGV[2], id = id, claims = {}, hash = KEYS[5], index = KEYS[6]}
  olds[n] = redis.call('HGET', KEYS[5], id)
end
release_claims(own.claims, changes, olds)
for n, change in ipairs(changes) do
  local record = redis.call('HGET', KEYS[2], change.id)
  change.op = record and 'p' or 'd'
  if record then
    change.claims = claims_of(record)
    for _, claim in ipairs(change.claims) do
      local owner = redis.call('HGET', own.claims, claim)
      if owner and owner ~= name_of(change) and not is_behind(claim, owner, name_of(change)) then
        return {'taken', change.id, claim, owner}
      end
    end
  end
  local gone = not record and not paged and redis.call('HGET', KEYS[4], name_of(change))
  copy_record(own, change, olds[n], record)
  if gone then redis.call('HSET', own.gone, name_of(change), gone) end
end
return {'ok', ids[#ids] or ''}
