-- Make an empty store ours, and heal a counter that lags behind the stream (then the history is not continuous: new epoch).
-- Data of an older schema become ours: records are read in both shapes, and 'from' says which of them may still be there.
-- A generation that is lost, reads like none, or has nothing is that of the newest import; without one the first.
-- KEYS  1 meta  2 epoch  3 sequence  4 generation  5 changes  6 log  7 heads of the log  8 imports
-- ARGV  1 schema  2 epoch to use where there is none  3 first generation  4 kinds of entities  5… older schemas that are read
-- Reply {'ok', epoch, sequence, generation} {'broken', key} {'schema', found}
if not is_type(KEYS[1], 'hash') then return {'broken', KEYS[1]} end
for n = 2, 4 do if not is_type(KEYS[n], 'string') then return {'broken', KEYS[n]} end end
for n = 5, 6 do if not is_type(KEYS[n], 'stream') then return {'broken', KEYS[n]} end end
if not is_type(KEYS[7], 'hash') then return {'broken', KEYS[7]} end
local schema = redis.call('HGET', KEYS[1], 'schema')
local older = false
for n = 5, #ARGV do older = older or schema == ARGV[n] end
if schema and schema ~= ARGV[1] and not older then return {'schema', schema} end

local text = redis.call('GET', KEYS[3]) or '0'
local seq = counted(text) or 0
local top = 0
for n = 5, 6 do
  local newest = redis.call('XREVRANGE', KEYS[n], '+', '-', 'COUNT', 1)[1]
  if newest and number_of(newest) >= MOST then return {'broken', KEYS[n]} end
  if newest then top = math.max(top, number_of(newest)) end
end
if top > seq or integer(seq) ~= text then
  seq = math.max(top, seq)
  redis.call('SET', KEYS[3], integer(seq))
  redis.call('SET', KEYS[2], ARGV[2])
end
if schema ~= ARGV[1] then redis.call('HSET', KEYS[1], 'schema', ARGV[1]) end
if older then redis.call('HSETNX', KEYS[1], 'from', schema) end
redis.call('SETNX', KEYS[2], ARGV[2])
redis.call('SETNX', KEYS[3], integer(seq))

local function is_generation(name) return #name <= 32 and string.match(name, '^%x+$') end

local function has_entities(name)
  for kind in string.gmatch(ARGV[4], '%l+') do
    if redis.call('EXISTS', '{r}:' .. name .. ':' .. kind) == 1 then return true end
  end
  return false
end

-- What the valid generation may be called: as the newest import says in the log, as the imports are noted, the first.
local function candidates()
  local found = {}
  local import = counted(redis.call('HGET', KEYS[7], '*')) or 0
  local entry = redis.call('XRANGE', KEYS[6], integer(import) .. '-0', integer(import) .. '-0')[1]
  for n = 1, entry and #entry[2] or 0, 2 do if entry[2][n] == 'i' then found[1] = entry[2][n + 1] end end
  for _, member in ipairs(is_type(KEYS[8], 'zset') and redis.call('ZRANGE', KEYS[8], 0, -1, 'REV') or {}) do
    found[#found + 1] = string.match(member, '^%d+ (.*)$')
  end
  found[#found + 1] = ARGV[3]
  return found
end

local generation = redis.call('GET', KEYS[4])
if not generation or not is_generation(generation) or not has_entities(generation) then
  local better = generation and is_generation(generation) and generation or ARGV[3]
  for _, name in ipairs(candidates()) do
    if is_generation(name) and has_entities(name) then
      better = name
      break
    end
  end
  if better ~= generation then
    redis.call('SET', KEYS[4], better)
    if generation then redis.call('SET', KEYS[2], ARGV[2]) end
  end
end
return {'ok', redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3]), redis.call('GET', KEYS[4])}
