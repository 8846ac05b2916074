#!lua flags=no-writes
-- Walk along the log from one entry to the one before it, of the same entity or of the same customer.
-- KEYS  1 log      ARGV  1 version to begin with  2 field that names the next: 'p' or 'q'  3 entries at most
-- Reply {'ok', version to go on with or '', {entry, …}}; the last step ends at an entry that is not in the log {'broken', key}
local found = redis.call('TYPE', KEYS[1]).ok
if found ~= 'none' and found ~= 'stream' then return {'broken', KEYS[1]} end
local version, entries = ARGV[1], {}
while version ~= '' and #entries < tonumber(ARGV[3]) do
  local entry = redis.call('XRANGE', KEYS[1], version .. '-0', version .. '-0')[1]
  if not entry then break end
  entries[#entries + 1] = entry
  version = ''
  for n = 1, #entry[2], 2 do if entry[2][n] == ARGV[2] then version = entry[2][n + 1] end end
end
return {'ok', version, entries}
