-- Write some entities, all or none: compare versions, check claims, store, count, and append to the change stream and the log.
-- KEYS  1 generation  2 sequence  3 changes  4 recent  5 touch  6 log  7 heads  8 secrets  9 claims  10 users  11 gone
--       12… hash and index of each kind
-- ARGV  1 generation  2 token  3 changes kept  4 tokens kept  5 kind number of orders  6… author (versions.lua)
--       13 count  14… kind number, kind, id, op, expect, entity, claims
-- Reply {'ok', first sequence} {'generation', name} {'hold'} {'conflict', position, record} {'taken', position, claim, owner}
--       {'broken', key}
if not is_type(KEYS[1], 'string') then return {'broken', KEYS[1]} end
local generation = redis.call('GET', KEYS[1])
if generation ~= ARGV[1] then return {'generation', generation or ''} end
if not is_type(KEYS[4], 'zset') then return {'broken', KEYS[4]} end

-- A repeated write (the answer to the first attempt was lost) is recognised by its token and not done twice. The key is
-- touched so that a WAIT after it covers the replication of the first attempt.
local known = redis.call('ZSCORE', KEYS[4], ARGV[2])
if known then
  redis.call('SET', KEYS[5], ARGV[2])
  return {'ok', integer(tonumber(known))}
end

-- An import that cannot catch up with its last step has the writers wait for a moment. (The key is in our slot.)
local hold = redis.call('TYPE', '{r}:import').ok == 'hash' and redis.call('HGET', '{r}:import', 'hold_until_unix_ms')
if hold and (tonumber(hold) or 0) > milliseconds() then return {'hold'} end

if not is_type(KEYS[2], 'string') then return {'broken', KEYS[2]} end
if not is_type(KEYS[3], 'stream') then return {'broken', KEYS[3]} end
local before = counted(redis.call('GET', KEYS[2]))
if not before then return {'broken', KEYS[2]} end
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if newest and number_of(newest) > before then return {'broken', KEYS[3]} end

local logged, own, author = log_keys(6), own_keys(9), read_author(6)
local at = 6 + AUTHOR_FIELDS
local count = tonumber(ARGV[at])
local changes, hashes, indexes = read_changes(at, count, own.kinds)
local orders_hash = KEYS[own.kinds + 2 * tonumber(ARGV[5])]
hashes.orders = orders_hash
local broken = broken_log(logged) or broken_key(own, hashes, indexes)
if broken then return {'broken', broken} end
local olds = old_records(changes)

for n, change in ipairs(changes) do
  local old, expect = olds[n], change.expect
  if expect == 'absent' then
    if old then return {'conflict', n, old} end
  elseif expect ~= 'any' then
    if not old or version_of(old) ~= tonumber(expect) then return {'conflict', n, old or ''} end
  end
end
local fault = claim_fault(own.claims, changes, olds)
if fault then return {'taken', fault[1], fault[2], fault[3]} end

local first = before + 1
if not log_changes(logged, own, author, changes, olds, orders_hash, first) then return {'broken', logged.log} end
redis.call('SET', KEYS[2], integer(before + count))
local link = last_token(newest)
release_claims(own.claims, changes, olds)
for n, change in ipairs(changes) do
  local seq = integer(first + n - 1)
  store_record(own, change, olds[n], seq)
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], seq .. '-0',
    'k', change.kind, 'i', change.id, 'o', change.op, 'w', ARGV[2], 'l', link, 'e', change.entity)
  link = ARGV[2]
end
redis.call('ZADD', KEYS[4], integer(first), ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - tonumber(ARGV[4]))
if is_trimming(first, count) then trim_log(logged, own.gone, author.cutoff, author.kept, math.max(256, 2 * count)) end
return {'ok', integer(first)}
