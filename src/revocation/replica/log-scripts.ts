/**
 * The Lua scripts of the revocation log. docs/flows/revocation.md describes the protocol and its letters (τ, H, G).
 *
 * The state is one hash, so that members can't be lost without the rest of the state. State, log and denylist share one
 * slot of a Redis Cluster. Only Redis compares positions in the log, as pairs of numbers.
 *
 * All scripts except `deny` begin with FRESH: KEYS state, log · ARGV wall clock of the caller (ms), nonce, τ (ms),
 * H + G (ms).
 * Errors: CLOCK if the clocks differ by more than τ; NOBOOT if a restart of the server can't be detected.
 *
 * A full Redis (`maxmemory`) must still take a revoke, and the syncs without which no instance has a lease. The first
 * write of these scripts is therefore a PEXPIRE, which Redis accepts when it is out of memory. After it, Redis accepts all
 * further writes of the script. (The flag `allow-oom` does the same, but only from Redis 7.0.) They exceed `maxmemory` by
 * some 250 bytes per entry at most.
 */

/**
 * Starts a new epoch if data may be missing: if there is no state yet, if the server was restarted or replaced, or if
 * the log was deleted or was trimmed by another program.
 *
 * Fields of the state: `n` numbers the syncs, `len` is the number of rows that the log must have, and `born` is the
 * start of the epoch (ms). The state of an older version has no `born`. It then gets the current time, which is the
 * latest possible value.
 */
const FRESH = `
local state, log = KEYS[1], KEYS[2]
local wall, nonce, tau, keep = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local function int(number) return string.format('%.0f', number) end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if math.abs(now - wall) > tau then
  return redis.error_reply('CLOCK this instance is ' .. int(wall - now) .. ' ms ahead of Redis; at most ' .. int(tau) .. ' are allowed')
end
local function field(section, name)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and string.match(text, name .. ':(%w+)') or ''
end
local boot = field('server', 'run_id') .. field('replication', 'master_replid')
if boot == '' then
  return redis.error_reply('NOBOOT INFO shows neither run_id nor master_replid, so a restart could not be told')
end
-- After this time without a sync, every token that an entry covers has expired.
local function renew()
  redis.call('PEXPIRE', state, int(keep + 60000))
  redis.call('PEXPIRE', log, int(keep + 60000))
end
renew()
local known = redis.call('HMGET', state, 'epoch', 'boot', 'len', 'born')
local len = redis.call('XLEN', log)
if not known[1] or known[2] ~= boot or tonumber(known[3]) ~= len or redis.call('EXISTS', log) == 0 then
  redis.call('XADD', log, '*', 'e', 'epoch ' .. nonce)
  redis.call('DEL', state)
  redis.call('HSET', state, 'epoch', nonce, 'boot', boot, 'settled', '0', 'since', int(now + 3 * tau),
    'marks', string.sub(nonce, 1, 8), 'n', '0', 'len', redis.call('XLEN', log), 'born', int(now))
  renew()
elseif not known[4] then
  redis.call('HSET', state, 'born', int(now))
end
local epoch = redis.call('HGET', state, 'epoch')
local function members()
  local found = {}
  local fields = redis.call('HGETALL', state)
  for i = 1, #fields, 2 do
    local id = string.match(fields[i], '^m:(.*)$')
    if id then
      local version, applied = string.match(fields[i + 1], '^(%d+) (.*)$')
      found[#found + 1] = id
      found[#found + 1] = version
      found[#found + 1] = applied
    end
  end
  return found
end`

/**
 * Registers the instance as a member, acknowledges the entries that it has applied, and reads one page of the log.
 *
 * KEYS state, log · ARGV (those of FRESH), instance or '', its epoch, its applied position, entries per page, settle or
 *   '', vouch: since or '', vouch: jti prefixes, who or '', then id and version of each member that is dead
 * Returns { epoch, settled, since, jti prefixes, time, last id of the page or '', more, { text, … },
 *   { id, version, applied, … } }
 * Atomic, and the member is registered before the log is read. Otherwise a revoke between both steps would not wait for
 * this instance, which wouldn't read its entries either.
 */
const sync = `${FRESH}
local instance, isCurrent = ARGV[5], ARGV[6] == epoch
local from = isCurrent and ARGV[7] or '0-0'
local version = redis.call('HINCRBY', state, 'n', 1)
if instance ~= '' then redis.call('HSET', state, 'm:' .. instance, int(version) .. ' ' .. from) end
if isCurrent then
  for i = 13, #ARGV, 2 do
    local member = redis.call('HGET', state, 'm:' .. ARGV[i])
    if member and string.match(member, '^%d+') == ARGV[i + 1] then redis.call('HDEL', state, 'm:' .. ARGV[i]) end
  end
  if ARGV[9] ~= '' then redis.call('HSET', state, 'settled', '1') end
  if ARGV[10] ~= '' then
    local since, marks = unpack(redis.call('HMGET', state, 'since', 'marks'))
    if tonumber(ARGV[10]) < tonumber(since) then redis.call('HSET', state, 'since', ARGV[10]) end
    local held = {}
    for mark in string.gmatch(marks, '........') do held[mark] = true end
    for mark in string.gmatch(ARGV[11], '........') do
      if #marks < 32 and not held[mark] then marks = marks .. mark end
    end
    redis.call('HSET', state, 'marks', marks)
  end
end
local page, found, more, texts, last = tonumber(ARGV[8]), 0, false, {}, ''
-- Read only a few rows at first, because each row may have as many entries as a page.
local chunk, at, rows = 2, from, nil
repeat
  rows = redis.call('XRANGE', log, '(' .. at, '+', 'COUNT', chunk)
  for _, row in ipairs(rows) do
    local text = row[2][2]
    -- Byte 109 is the 'm' of a row with many entries. Four of its entries cost no more than one row with one entry.
    local count = string.byte(text) == 109 and math.ceil(tonumber(string.match(text, '^many (%d+)')) / 4) or 1
    if found > 0 and found + count > page then
      more = true
      break
    end
    texts[#texts + 1], last, at, found = text, row[1], row[1], found + count
  end
  local isFull = #rows == chunk
  chunk = math.min(2 * chunk, math.max(page - found, 0) + 1)
until more or not isFull
local told = redis.call('HMGET', state, 'settled', 'since', 'marks')
return { epoch, told[1], told[2], told[3], int(now), last, more and 1 or 0, texts, ARGV[12] ~= '' and members() or {} }`

/**
 * Reads a denylist key: `before`, `until` and the reason. Returns nil if there is none. A value of any type that another
 * program has written counts as none, so that it neither makes a revoke fail nor becomes a part of the entry.
 */
const READ_DENY_KEY = `
local function readDenyKey(key)
  local old = redis.pcall('GET', key)
  return string.match(type(old) == 'string' and old or '', '^(%d+) (' .. string.rep('%d', 13) .. ') (.*)$')
end`

/**
 * Writes entries to the log and to the denylist keys.
 *
 * KEYS state, log, the denylist key of each entry · ARGV (those of FRESH), then kind, id, before ('now', 'birth' or
 *   ms), until ('' or ms) and reason of each entry
 * Returns { epoch, id of the last entry or 0-0 if none was written, { id, version, applied, … } }
 *
 * An entry with 'birth' covers tokens from before the epoch, whose sessions may be lost. The script puts the jti prefix
 * of the epoch before its id. Leases from before the epoch outlive its start by up to W, on clocks that may be τ ahead,
 * so the entry covers tokens until 3τ after the start, like `since`. Once all of these tokens have expired, such an
 * entry isn't written.
 *
 * Atomic: the revoke waits for exactly the members that exist when its entries are written. An existing denylist key is
 * only ever extended.
 */
const revoke = `${FRESH}${READ_DENY_KEY}
local last, written = '0-0', 0
local born = tonumber(redis.call('HGET', state, 'born'))
local function write(i, at)
  local before = ARGV[at + 2] == 'now' and now + tau or ARGV[at + 2] == 'birth' and born + 3 * tau or tonumber(ARGV[at + 2])
  local till = ARGV[at + 3] == '' and now + keep or math.min(tonumber(ARGV[at + 3]), now + keep)
  local mark = ARGV[at + 2] == 'birth' and string.sub(epoch, 1, 8) or ''
  local text = ARGV[at] .. ' ' .. int(before) .. ' ' .. int(till) .. ' ' .. mark .. ARGV[at + 1]
  local oldBefore, oldTill = readDenyKey(KEYS[i])
  if oldBefore then before, till = math.max(before, tonumber(oldBefore)), math.max(till, tonumber(oldTill)) end
  if till > now then
    redis.call('SET', KEYS[i], int(before) .. ' ' .. int(till) .. ' ' .. ARGV[at + 4], 'PXAT', int(till))
  end
  -- XADD comes last, because the SET may fail. A row that isn't counted in 'len' would start a new epoch.
  last = redis.call('XADD', log, '*', 'e', text)
  written = written + 1
end
for i = 3, #KEYS do
  local at = 5 + (i - 3) * 5
  if ARGV[at + 2] ~= 'birth' or now <= born + keep then write(i, at) end
end
local trimmed = redis.call('XTRIM', log, 'MINID', '~', int(math.max(0, now - keep)))
redis.call('HINCRBY', state, 'len', written - trimmed)
return { epoch, last, members() }`

/**
 * Publishes entries of an earlier epoch's log again, as one row. Their denylist keys are written later, by `deny`.
 *
 * KEYS state, log · ARGV (those of FRESH), the latest `until` of all entries (ms), the row: `many <count>`, then one
 *   line `kind before until id` per entry
 * Returns { epoch, id of the row, { id, version, applied, … } }
 * Atomic: a row that `len` doesn't count would start a new epoch.
 */
const publish = `${FRESH}
local latest, text = now + keep, ARGV[6]
-- This happens only if the clock of this server is behind the clock of the server that wrote the entries.
if tonumber(ARGV[5]) > latest then
  text = string.gsub(text, '(%l+ %d+ )(%d+)( [^\\n]*\\n)', function(start, till, rest)
    return start .. int(math.min(tonumber(till), latest)) .. rest
  end)
end
local row = redis.call('XADD', log, '*', 'e', text)
local trimmed = redis.call('XTRIM', log, 'MINID', '~', int(math.max(0, now - keep)))
redis.call('HINCRBY', state, 'len', 1 - trimmed)
return { epoch, row, members() }`

/**
 * Writes the denylist keys of entries that were published again. An existing key keeps its reason, and its `before` and
 * `until` if they are later.
 *
 * KEYS the denylist key of each entry · ARGV H + G (ms), reason, then before and until (ms) of each entry
 * Returns 1. Atomic: an existing denylist key is only ever extended.
 */
const deny = `${READ_DENY_KEY}
local function int(number) return string.format('%.0f', number) end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
for i, key in ipairs(KEYS) do
  local before, till = tonumber(ARGV[2 * i + 1]), math.min(tonumber(ARGV[2 * i + 2]), now + tonumber(ARGV[1]))
  local oldBefore, oldTill, reason = readDenyKey(key)
  if oldBefore then before, till = math.max(before, tonumber(oldBefore)), math.max(till, tonumber(oldTill)) end
  if till > now then redis.call('SET', key, int(before) .. ' ' .. int(till) .. ' ' .. (reason or ARGV[2]), 'PXAT', int(till)) end
end
return 1`

/** The registry of log scripts. Each call passes its number of keys, because a revoke has one key per entry. */
export const LOG_SCRIPTS = {
  portcullisSync: sync,
  portcullisRevoke: revoke,
  portcullisPublish: publish,
  portcullisDeny: deny,
} as const
