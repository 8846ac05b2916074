#!lua flags=no-writes
-- Walk along the log from one entry to the one before it, of the same entity or of the same customer.
-- What an erasure took out of the log left behind where its entry led to, so a walk goes on behind it.
-- KEYS  1 log  2 erased      ARGV  1 version to begin with  2 field that names the next: 'p' or 'q'  3 entries at most
-- Reply {'ok', version to go on with or '', {entry, …}}; the last step ends at an entry that is not in the log {'broken', key}
local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
if not is_type(KEYS[1], 'stream') then return {'broken', KEYS[1]} end
local has_erased = is_type(KEYS[2], 'zset')

-- A version, or '' for what is none: the end of a walk.
local function version_in(text) return #text <= 16 and string.match(text, '^%d+$') or '' end

local function step(version)
  local entry = redis.call('XRANGE', KEYS[1], version .. '-0', version .. '-0')[1]
  local found = ''
  if entry then
    for n = 1, #entry[2], 2 do if entry[2][n] == ARGV[2] then found = entry[2][n + 1] end end
  else
    local left = has_erased and redis.call('ZRANGE', KEYS[2], version, version, 'BYSCORE', 'LIMIT', 0, 1)[1]
    if not left then return nil end
    local previous, of_customer = string.match(left, '^%d+ (%d*) (%d*)$')
    found = (ARGV[2] == 'p' and previous or of_customer) or ''
  end
  found = version_in(found)
  -- It leads back only: what leads on, or to itself, was not written by us and would be walked for ever.
  if found ~= '' and tonumber(found) >= tonumber(version) then found = '' end
  return entry or false, found
end

local version, entries = version_in(ARGV[1]), {}
while version ~= '' and #entries < tonumber(ARGV[3]) do
  local entry, found = step(version)
  if entry == nil then break end
  if entry then entries[#entries + 1] = entry end
  version = found
end
return {'ok', version, entries}
