-- Append events to one shard: its stream, the history of each line, and what is going on now.
-- KEYS  1 stream  2 counter  3 marks  4 states  5 ages of the histories  6 ages of the diverted calls  7 … list of each entry
-- ARGV  1 process  2 at most in the stream  3 older than this goes (Unix ms)  4 the same for diverted calls
--       5 at most per line  6 seq, at, flag, line, json, state op, state … (none: only what is too old goes)
--       flags: 'e' event, 'c' summary of calls (joins the one before it), 'd' diverted call; state ops: '', 's' set, 'S' removed
-- Reply {'ok', written, number of the last, whether more may be too old (1 or 0)} {'broken', key}
--
-- A batch that is repeated writes nothing twice: the marks hold the last seq of each process (its id begins with the time of its
-- start, so the lowest is the oldest). Lists are known by the age of their first entry, or of an older one that is gone; their
-- names are made here, in the same slot.
local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end
local wanted = {'stream', 'string', 'hash', 'hash', 'zset', 'zset'}
for n = 1, 6 do if not is_type(KEYS[n], wanted[n]) then return {'broken', KEYS[n]} end end
for n = 7, #KEYS do if not is_type(KEYS[n], 'list') then return {'broken', KEYS[n]} end end

local KEPT_MARKS, JOINED_MS, LISTS, ENTRIES = 64, 86400000, 20, 200
local MOST = 9007199254740992

-- A number that we wrote; 0 for anything else.
local function whole(text)
  local found = text and string.match(text, '^%d+$') and tonumber(text) or 0
  return found < MOST and found or 0
end
local mark, number = whole(redis.call('HGET', KEYS[3], ARGV[1])), whole(redis.call('GET', KEYS[2]))
-- A counter that a fail-over set back must not make the stream refuse.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then number = math.max(number, tonumber(string.match(newest[1], '^%d+'))) end
if number >= MOST then return {'broken', KEYS[1]} end

local function parts(entry) return string.match(entry, '^(%d+)\t(%d+)\t(%l)\t(.*)$') end

-- Adds the counts of a summary to the one that stands last in the list; false when they do not belong together.
local function join(key, at, text)
  local last = redis.call('LINDEX', key, -1)
  if not last then return false end
  local _, _, flag, held = parts(last)
  if flag ~= 'c' then return false end
  local good, old = pcall(cjson.decode, held)
  local fine, new = pcall(cjson.decode, text)
  if not good or not fine or type(old) ~= 'table' or type(old.counts) ~= 'table' then return false end
  if tonumber(at) - (tonumber(old.from_unix_ms) or 0) > JOINED_MS then return false end
  for name, value in pairs(new.counts or {}) do
    if type(value) == 'number' then old.counts[name] = (tonumber(old.counts[name]) or 0) + value end
  end
  new.counts, new.from_unix_ms = old.counts, old.from_unix_ms
  local done, joined = pcall(cjson.encode, new)
  if done then redis.call('LSET', key, -1, string.format('%.0f\t%s\tc\t%s', number, at, joined)) end
  return done
end

-- Removes what is too old from the front of a list; the time of what is first then, false when nothing is left.
local function drop_old(key, before)
  local first
  for _ = 0, ENTRIES do
    local held = redis.call('LINDEX', key, 0)
    if not held then return false end
    local _, at = parts(held)
    first = tonumber(at) or 0
    if first >= before then break end
    redis.call('LPOP', key)
  end
  return first
end

local before, calls_before = tonumber(ARGV[3]), tonumber(ARGV[4])
local written, last = 0, mark
for n = 0, (#ARGV - 5) / 7 - 1 do
  local base = 5 + 7 * n
  local seq, at, flag, line, text = tonumber(ARGV[base + 1]), ARGV[base + 2], ARGV[base + 3], ARGV[base + 4], ARGV[base + 5]
  if seq > mark then
    number = number + 1
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], string.format('%.0f-0', number), 't', at, 'e', text)
    local key = KEYS[7 + n]
    if not (flag == 'c' and join(key, at, text)) then
      redis.call('RPUSH', key, string.format('%.0f\t%s\t%s\t%s', number, at, flag, text))
    end
    redis.call('LTRIM', key, -tonumber(ARGV[5]), -1)
    redis.call('ZADD', flag == 'd' and KEYS[6] or KEYS[5], 'NX', at, line)
    if ARGV[base + 6] == 's' then redis.call('HSET', KEYS[4], line, ARGV[base + 7]) end
    if ARGV[base + 6] == 'S' then redis.call('HDEL', KEYS[4], line) end
    written, last = written + 1, seq
  end
end
if written > 0 then
  redis.call('SET', KEYS[2], string.format('%.0f', number))
  redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', last))
  if redis.call('HLEN', KEYS[3]) > KEPT_MARKS then
    local boots = redis.call('HKEYS', KEYS[3])
    table.sort(boots)
    redis.call('HDEL', KEYS[3], boots[1])
  end
end

-- A little more than was written goes, so that what is kept does not grow. The stream has diverted calls among the others, so
-- it is kept for the shorter time.
local look, looked, more = written > 0 and 2 * written + 10 or 1000, 0, 0
local cut, young = false, false
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', look)) do
  cut, looked = entry[1], looked + 1
  young = (tonumber(entry[2][2]) or 0) >= math.max(before, calls_before)
  if young then break end
end
if cut then redis.call('XTRIM', KEYS[1], 'MINID', cut) end
if cut and not young then
  redis.call('XDEL', KEYS[1], cut)
  if looked == look then more = 1 end
end
local prefix = string.match(KEYS[1], '^(.-):events$')
for n, kind in ipairs({'history', 'diverted'}) do
  local bound = n == 1 and before or calls_before
  local lines = redis.call('ZRANGE', KEYS[4 + n], '-inf', string.format('(%.0f', bound), 'BYSCORE', 'LIMIT', 0, LISTS)
  if #lines == LISTS then more = 1 end
  for _, line in ipairs(lines) do
    local key = prefix .. ':' .. kind .. ':' .. line
    local first = is_type(key, 'list') and drop_old(key, bound)
    if first then
      redis.call('ZADD', KEYS[4 + n], first, line)
      if first < bound then more = 1 end
    else
      redis.call('ZREM', KEYS[4 + n], line)
    end
  end
end
return {'ok', written, string.format('%.0f', number), more}
