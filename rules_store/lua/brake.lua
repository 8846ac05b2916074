-- Count the diverted calls of orders and keep the levels of their brakes, in one shard.
-- KEYS  1 counts  2 levels
-- ARGV  1 oldest minute kept  2 oldest quarter of an hour kept  3… op, order, value
--       ops: 'a' add, value 'minute quarter count, …'; 'l' level, value its text; 'L' no level; 'z' counts back to nothing
-- Reply {'ok', counts after each 'a', in order …} {'broken', key}
-- Counts are 'minute=count,…;quarter=count,…'. What is in a field that does not read so is dropped: it counts nothing.
local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
for n = 1, 2 do if not is_type(KEYS[n], 'hash') then return {'broken', KEYS[n]} end end

local function read(text)
  local counts = {}
  for bucket, count in string.gmatch(text or '', '(%d+)=(%d+)') do counts[tonumber(bucket)] = tonumber(count) end
  return counts
end

local function written(counts, oldest)
  local buckets, parts = {}, {}
  for bucket in pairs(counts) do if bucket >= oldest then buckets[#buckets + 1] = bucket end end
  table.sort(buckets)
  for n, bucket in ipairs(buckets) do parts[n] = string.format('%.0f=%.0f', bucket, counts[bucket]) end
  return table.concat(parts, ',')
end

local reply = {'ok'}
for at = 3, #ARGV, 3 do
  local op, order, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if op == 'a' then
    local old = redis.call('HGET', KEYS[1], order) or ''
    local first, second = string.match(old, '^([^;]*);(.*)$')
    local minutes, quarters = read(first), read(second)
    for minute, quarter, count in string.gmatch(value, '(%d+) (%d+) (%d+)') do
      minute, quarter, count = tonumber(minute), tonumber(quarter), tonumber(count)
      minutes[minute] = (minutes[minute] or 0) + count
      quarters[quarter] = (quarters[quarter] or 0) + count
    end
    local text = written(minutes, tonumber(ARGV[1])) .. ';' .. written(quarters, tonumber(ARGV[2]))
    if text == ';' then
      redis.call('HDEL', KEYS[1], order)
    else
      redis.call('HSET', KEYS[1], order, text)
    end
    reply[#reply + 1] = text
  elseif op == 'l' then
    redis.call('HSET', KEYS[2], order, value)
  elseif op == 'L' then
    redis.call('HDEL', KEYS[2], order)
  else
    redis.call('HDEL', KEYS[1], order)
  end
end
return reply
