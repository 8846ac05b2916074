-- Common part of the scripts that write entities; put before each of them by rules_store/scripts.py.
--
-- A record is '{"v":<version>,"c":[<claims>],"e":<entity>}' in exactly this shape, so that version and claims are found
-- without decoding the entity. Claims are the numbers and block ranges that belong to one entity at a time.
--
-- Redis does not undo what a failing script has written: everything is checked before the first write.

local function integer(n) return string.format('%.0f', n) end

-- Numbers are counted in doubles: from here on they are not exact. What is larger in the store is none of ours.
local MOST = 9007199254740992

-- The number that a text is; nil for anything else. A store that was never written to has none: 0.
local function counted(text)
  local number = string.match(text or '0', '^%d+$') and tonumber(text or '0')
  return number and number < MOST and number or nil
end

local function number_of(entry) return tonumber(string.match(entry[1], '^(%d+)-')) end

local function version_of(record) return tonumber(string.match(record, '^{"v":(%d+),')) end

local function claims_of(record)
  local text = string.match(record, '^{"v":%d+,"c":(%b[]),')
  if not text or text == '[]' then return {} end
  local ok, list = pcall(cjson.decode, text)
  local claims = {}
  for _, claim in ipairs(ok and type(list) == 'table' and list or {}) do
    if type(claim) == 'string' then claims[#claims + 1] = claim end
  end
  return claims
end

local function entity_of(record) return string.match(record, '^{"v":%d+,"c":%b[],"e":(.*)}$') end

local function name_of(change) return change.kind .. ':' .. change.id end

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end

-- Returns nil, or the name of the first key that is not what it should be.
local function broken_key(own, hashes, indexes)
  if not is_type(own.claims, 'hash') then return own.claims end
  if not is_type(own.users, 'zset') then return own.users end
  if not is_type(own.gone, 'hash') then return own.gone end
  for _, key in pairs(hashes) do if not is_type(key, 'hash') then return key end end
  for _, key in pairs(indexes) do if not is_type(key, 'zset') then return key end end
  return nil
end

-- The key of another kind, or of something else, of the same generation. Not by gsub: '[^:]*$' matches twice, the second time nothing.
local function beside(key, name) return string.match(key, '^(.*:)') .. name end

-- Whether the entity that a claim is filed under is there and has it. If not, something else than these scripts filed it, and it binds
-- nobody. A record that is none of ours keeps its claims: nobody can say what it holds.
local function is_held(claims_key, claim, owner)
  local kind, id = string.match(owner, '^(%l+):(.+)$')
  local key = kind and beside(claims_key, kind)
  local record = key and redis.call('TYPE', key).ok == 'hash' and redis.call('HGET', key, id)
  if not record then return false end
  if not version_of(record) then return true end
  for _, held in ipairs(claims_of(record)) do if held == claim then return true end end
  return false
end

-- changes: list of {kind, id, op, claims (list), ...}; olds: list of record or false. Returns nil or {position, claim, owner}.
local function claim_fault(claims_key, changes, olds)
  local released, taken = {}, {}
  for n, change in ipairs(changes) do
    if olds[n] then
      for _, claim in ipairs(claims_of(olds[n])) do released[claim] = change.kind .. ':' .. change.id end
    end
  end
  for n, change in ipairs(changes) do
    local me = change.kind .. ':' .. change.id
    for _, claim in ipairs(change.claims) do
      local owner = taken[claim]
      if not owner then
        owner = redis.call('HGET', claims_key, claim)
        if owner and (released[claim] == owner or (owner ~= me and not is_held(claims_key, claim, owner))) then owner = false end
      end
      if owner and owner ~= me then return {n, claim, owner} end
      taken[claim] = me
    end
  end
  return nil
end

-- Claims of all changes first go, then come, so that a number may move within one write.
local function release_claims(claims_key, changes, olds)
  for n, change in ipairs(changes) do
    if olds[n] then
      local me = change.kind .. ':' .. change.id
      for _, claim in ipairs(claims_of(olds[n])) do
        if redis.call('HGET', claims_key, claim) == me then redis.call('HDEL', claims_key, claim) end
      end
    end
  end
end

-- Users are found by their customer: members '<customer> <id>' (neither holds a blank), all scores 0.
local function user_member(text, id)
  return (string.match(text, '"customer":"([^"]*)"') or '') .. ' ' .. id
end

-- Puts `record` in the place of `old`, or takes that away (record false); indices and claims go with it.
local function copy_record(own, change, old, record)
  local is_user = change.kind == 'user'
  if is_user and old then redis.call('ZREM', own.users, user_member(old, change.id)) end
  if record then
    redis.call('HSET', change.hash, change.id, record)
    redis.call('ZADD', change.index, 0, change.id)
    for _, claim in ipairs(change.claims) do redis.call('HSET', own.claims, claim, name_of(change)) end
    if is_user then redis.call('ZADD', own.users, 0, user_member(record, change.id)) end
    if not old then redis.call('HDEL', own.gone, name_of(change)) end
  else
    redis.call('HDEL', change.hash, change.id)
    redis.call('ZREM', change.index, change.id)
  end
end

local function store_record(own, change, old, version)
  local put = change.op == 'p'
  local record = put and '{"v":' .. version .. ',"c":' .. change.claims_text .. ',"e":' .. change.entity .. '}'
  copy_record(own, change, old, record)
end

-- The token of the newest entry: each entry names its predecessor's, so that a follower sees when history was rewritten.
local function last_token(newest)
  if newest then
    for n = 1, #newest[2], 2 do if newest[2][n] == 'w' then return newest[2][n + 1] end end
  end
  return ''
end

-- The keys of a generation that are not a kind's own, from KEYS[at] on; those of the kinds follow them.
local function own_keys(at) return {claims = KEYS[at], users = KEYS[at + 1], gone = KEYS[at + 2], kinds = at + 3} end

-- Reads `count` changes of 7 fields each from ARGV, starting after `offset`; notes the keys that they touch.
local function read_changes(offset, count, first_kind_key)
  local changes, hashes, indexes = {}, {}, {}
  for n = 1, count do
    local at = offset + (n - 1) * 7
    local kind_number = tonumber(ARGV[at + 1])
    local change = {
      hash = KEYS[first_kind_key + 2 * kind_number], index = KEYS[first_kind_key + 2 * kind_number + 1],
      kind = ARGV[at + 2], id = ARGV[at + 3], op = ARGV[at + 4], expect = ARGV[at + 5], entity = ARGV[at + 6],
      claims_text = ARGV[at + 7],
    }
    change.claims = change.claims_text == '[]' and {} or cjson.decode(change.claims_text)
    hashes[kind_number], indexes[kind_number] = change.hash, change.index
    changes[n] = change
  end
  return changes, hashes, indexes
end

local function old_records(changes)
  local olds = {}
  for n, change in ipairs(changes) do olds[n] = redis.call('HGET', change.hash, change.id) end
  return olds
end
