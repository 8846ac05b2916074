-- Remove what is too old from one shard without writing anything: silent lines must not keep theirs because nothing happens.
-- KEYS  1 stream  2 ages of the histories  3 ages of the diverted calls
-- ARGV  1 older than this goes (Unix ms)  2 the same for diverted calls  3 lines passed over  4 lines and entries at most
-- Reply {'ok', lines to pass over next time ('' when all were looked at), removed} {'broken', key}
local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
if not is_type(KEYS[1], 'stream') then return {'broken', KEYS[1]} end
for n = 2, 3 do if not is_type(KEYS[n], 'zset') then return {'broken', KEYS[n]} end end
local prefix, most, skipped = string.match(KEYS[1], '^(.-):events$'), tonumber(ARGV[4]), tonumber(ARGV[3])
local removed, following = 0, nil
local function again_at(lines) following = math.min(following or lines, lines) end

local cut = nil
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', most)) do
  if (tonumber(entry[2][2]) or 0) >= tonumber(ARGV[1]) then break end
  cut, removed = entry[1], removed + 1
end
if cut then
  local number = tonumber(string.match(cut, '^%d+'))
  redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', number + 1))
  if removed == most then again_at(skipped) end
end

for n, kind in ipairs({'history', 'diverted'}) do
  local before = tonumber(ARGV[n])
  local lines = redis.call('ZRANGE', KEYS[1 + n], skipped, skipped + most - 1)
  local left = 0
  for _, line in ipairs(lines) do
    local key = prefix .. ':' .. kind .. ':' .. line
    if is_type(key, 'list') then
      for _ = 1, most do
        local first = redis.call('LINDEX', key, 0)
        if not first then
          redis.call('ZREM', KEYS[1 + n], line)
          left = left - 1
          break
        end
        local at = string.match(first, '^%d+\t(%d+)\t')
        if at and tonumber(at) >= before then break end
        redis.call('LPOP', key)
        removed = removed + 1
      end
    end
    left = left + 1
  end
  if #lines == most then again_at(skipped + left) end
end
return {'ok', following and string.format('%.0f', following) or '', removed}
