-- Count changes of a customer within the last hour, and refuse those above a limit.
-- KEYS  1 paces
-- ARGV  1 who  2 this minute (Unix time / 60)  3 limit, 0 = none  4 changes; below 0: some did not happen
-- Reply {'ok', changes in the hour, these included, 0} {'over', changes, minutes until there is room} {'broken', key}
-- A pace is 'minute=count,…'. It is read and written in one script, so that any number of processes share it.
local found = redis.call('TYPE', KEYS[1]).ok
if found ~= 'none' and found ~= 'hash' then return {'broken', KEYS[1]} end
local now, limit, more = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local counts, minutes, total = {}, {}, 0
for text, number in string.gmatch(redis.call('HGET', KEYS[1], ARGV[1]) or '', '(%d+)=(%d+)') do
  local minute, count = tonumber(text), tonumber(number)
  if minute > now - 60 and minute <= now + 60 then  -- later is none of ours: no two clocks are that far apart
    counts[minute] = count
    minutes[#minutes + 1] = minute
    total = total + count
  end
end
table.sort(minutes)
if limit > 0 and total + more > limit then
  local left, wait = total, 60
  for _, minute in ipairs(minutes) do
    left = left - counts[minute]
    if left + more <= limit then
      wait = minute + 60 - now
      break
    end
  end
  return {'over', total, wait}
end
if not counts[now] then
  counts[now] = 0
  minutes[#minutes + 1] = now
end
total = total - counts[now]
counts[now] = math.max(counts[now] + more, 0)
total = total + counts[now]
local parts = {}
for _, minute in ipairs(minutes) do
  if counts[minute] > 0 then parts[#parts + 1] = string.format('%.0f=%.0f', minute, counts[minute]) end
end
if #parts == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], table.concat(parts, ','))
end
return {'ok', total, 0}
