-- The log of versions: what stood there before a change and after it, who made it, and where to find the change before.
-- Put behind records.lua, before the scripts that write the log.
--
-- An entry's id is the sequence number of its change, which is also the version of the record it made. So the history of an
-- entity is a walk: from the version of its record (or of its tombstone, when it was removed) along 'p', without an index. That
-- of a customer goes from the heads along 'q'.

-- Secrets do not stand in the log. An HA1 is hexadecimal, and inside of a JSON text no quotation mark stands without a
-- backslash, so this finds the field and nothing that somebody typed.
local function redacted(text) return (string.gsub(text, '"ha1":"%x*"', '"ha1":""')) end

local function field_of(entry, name)
  for n = 1, #entry[2], 2 do if entry[2][n] == name then return entry[2][n + 1] end end
  return ''
end

-- Customers by order, as far as the changes themselves say: first what was, then what will be.
local function orders_of(changes, olds)
  local orders = {}
  for n, change in ipairs(changes) do
    if change.kind == 'order' then
      local text = change.op == 'p' and change.entity or olds[n] or ''
      orders[change.id] = string.match(text, '"customer":"([^"]*)"')
    end
  end
  return orders
end

-- Whose change it is; '' for the carrier's own. The pattern finds the first field of that name; in what belongs to an order it
-- stands right behind the id.
local function customer_of(change, old, orders, orders_hash)
  if change.kind == 'customer' then return change.id end
  local text = change.op == 'p' and change.entity or old or ''
  if change.kind == 'order' or change.kind == 'user' then return string.match(text, '"customer":"([^"]*)"') or '' end
  local order = string.match(text, '"order":"([^"]*)"')
  if not order then return '' end
  if not orders[order] then
    local record = redis.call('HGET', orders_hash, order)
    orders[order] = record and string.match(record, '"customer":"([^"]*)"') or ''
  end
  return orders[order]
end

local function log_keys(at) return {log = KEYS[at], heads = KEYS[at + 1], secrets = KEYS[at + 2]} end

local function broken_log(keys)
  if not is_type(keys.log, 'stream') then return keys.log end
  if not is_type(keys.heads, 'hash') then return keys.heads end
  if not is_type(keys.secrets, 'hash') then return keys.secrets end
  return nil
end

-- ARGV[at…]: who, via, source, note, version undone ('' for none), time in ms before which entries go, entries kept at most
local function read_author(at)
  return {who = ARGV[at], via = ARGV[at + 1], source = ARGV[at + 2], note = ARGV[at + 3], undoes = ARGV[at + 4],
    cutoff = tonumber(ARGV[at + 5]), kept = tonumber(ARGV[at + 6])}
end
local AUTHOR_FIELDS = 7

-- Returns false when the log has a later entry than it may: then it is not ours, and nothing was written.
local function append_log(keys, author, now, entry)
  local done = redis.pcall('XADD', keys.log, entry.seq .. '-0', 't', now, 'w', author.who, 'v', author.via, 's', author.source,
    'n', author.note, 'u', author.undoes, 'f', entry.first, 'l', entry.last, 'm', entry.count, 'k', entry.kind,
    'i', entry.id, 'o', entry.op, 'c', entry.customer, 'q', entry.customer_before, 'p', entry.previous, 'b', entry.before, 'a', entry.after)
  return type(done) ~= 'table'
end

-- One entry for each entity that was or is there. Called before anything else is written. Returns false when the log refuses the
-- first: then nothing is.
local function log_changes(keys, own, author, changes, olds, orders_hash, first)
  local now, orders, heads = integer(milliseconds()), orders_of(changes, olds), {}
  local write = {count = 0}
  for n, change in ipairs(changes) do
    if olds[n] or change.op == 'p' then
      write.last, write.count = integer(first + n - 1), write.count + 1
      write.first = write.first or write.last
    end
  end
  for n, change in ipairs(changes) do
    local old, name, seq = olds[n], name_of(change), integer(first + n - 1)
    if old or change.op == 'p' then
      local customer = customer_of(change, old, orders, orders_hash)
      local before, after, previous, secret = '', change.entity, '', nil
      if old then
        before = entity_of(old) or '?'
        previous = string.match(old, '^{"v":(%d+),') or ''
      else
        previous = redis.call('HGET', own.gone, name) or ''
      end
      if customer == '' and counted(previous) then  -- its order is gone; it is still that customer's
        local last = redis.call('XRANGE', keys.log, previous, previous)[1]
        if last then customer = field_of(last, 'c') end
      end
      if not heads[customer] then heads[customer] = redis.call('HGET', keys.heads, customer) or '' end
      if change.kind == 'line' then
        secret, before, after = before, redacted(before), redacted(after)
      end
      local appended = append_log(keys, author, now, {seq = seq, first = write.first, last = write.last,
        count = integer(write.count), kind = change.kind, id = change.id, op = change.op, customer = customer,
        customer_before = heads[customer], previous = previous, before = before, after = after})
      if not appended then return false end
      if secret and secret ~= before then redis.call('HSET', keys.secrets, seq, secret) end
      heads[customer] = seq
      if change.op ~= 'p' then redis.call('HSET', own.gone, name, seq) end
    end
  end
  for customer, seq in pairs(heads) do redis.call('HSET', keys.heads, customer, seq) end
  return true
end

-- Whether a write is one that trims: every so many entries, so that the others need not look.
local function is_trimming(first, count) return math.floor((first + count - 1) / 64) > math.floor((first - 1) / 64) end

-- Removes what is too old or too much, at most `most` entries. Returns how many went.
local function trim_log(keys, gone, cutoff, kept, most)
  local excess = redis.call('XLEN', keys.log) - kept
  local oldest = redis.call('XRANGE', keys.log, '-', '+', 'COUNT', 1)[1]
  if not oldest or (excess <= 0 and (tonumber(field_of(oldest, 't')) or 0) >= cutoff) then return 0 end
  local removed, cut = 0, nil
  for _, entry in ipairs(redis.call('XRANGE', keys.log, '-', '+', 'COUNT', most)) do
    if removed >= excess and (tonumber(field_of(entry, 't')) or 0) >= cutoff then break end
    local seq = string.match(entry[1], '^%d+')
    local name = field_of(entry, 'k') .. ':' .. field_of(entry, 'i')
    if field_of(entry, 'o') == 'd' and redis.call('HGET', gone, name) == seq then redis.call('HDEL', gone, name) end
    redis.call('HDEL', keys.secrets, seq)
    removed, cut = removed + 1, seq
  end
  if cut then redis.call('XTRIM', keys.log, 'MINID', integer(tonumber(cut) + 1)) end
  return removed
end

