-- Remove a step of what is too old or too much in the log.
-- KEYS  1 generation  2 log  3 heads  4 secrets  5 gone
-- ARGV  1 generation  2 time in ms before which entries go  3 entries kept at most  4 step
-- Reply {'ok', removed, number of the oldest entry or ''} {'generation', name} {'broken', key}
if not is_type(KEYS[1], 'string') then return {'broken', KEYS[1]} end
local generation = redis.call('GET', KEYS[1])
if generation and generation ~= ARGV[1] then return {'generation', generation} end
local keys = log_keys(2)
local broken = broken_log(keys)
if broken then return {'broken', broken} end
if not is_type(KEYS[5], 'hash') then return {'broken', KEYS[5]} end
local removed = trim_log(keys, KEYS[5], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
local oldest = redis.call('XRANGE', keys.log, '-', '+', 'COUNT', 1)[1]
return {'ok', removed, oldest and string.match(oldest[1], '^%d+') or ''}
