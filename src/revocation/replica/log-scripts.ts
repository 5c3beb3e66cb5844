/**
 * The scripts of the revocation log (see docs/flows/revocation.md). The state is one hash, so that members can't be
 * lost alone; state, log and denylist share a slot. Ids of the log are compared by Redis, as pairs of numbers.
 *
 * All begin with FRESH: KEYS state, log · ARGV wall clock of the caller (ms), nonce, τ, H + G (ms).
 * Errors: CLOCK if the clocks differ by more than τ; NOBOOT if nothing tells one life of the server from the next.
 *
 * The first write of each is one that Redis refuses when it is out of memory: behind any other write it would let all
 * pass.
 */

/**
 * Begins a new epoch where the data may not be what it was: none yet, another life of the server, the log gone, or
 * trimmed by another hand. `n` numbers the syncs; `len` is how many entries the log should hold; `born` is when the
 * epoch began (ms). A state of an older version has no `born`: it then is the present, the latest time that it can be.
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
local known = redis.call('HMGET', state, 'epoch', 'boot', 'len', 'born')
local len = redis.call('XLEN', log)
if not known[1] or known[2] ~= boot or tonumber(known[3]) ~= len or redis.call('EXISTS', log) == 0 then
  redis.call('XADD', log, '*', 'e', 'epoch ' .. nonce)
  redis.call('DEL', state)
  redis.call('HSET', state, 'epoch', nonce, 'boot', boot, 'settled', '0', 'since', int(now + 3 * tau),
    'marks', string.sub(nonce, 1, 8), 'n', '0', 'len', redis.call('XLEN', log), 'born', int(now))
elseif not known[4] then
  redis.call('HSET', state, 'born', int(now))
end
local epoch = redis.call('HGET', state, 'epoch')
-- When nobody has synced for so long, nothing that they could deny is alive.
local function renew()
  redis.call('PEXPIRE', state, int(keep + 60000))
  redis.call('PEXPIRE', log, int(keep + 60000))
end
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
 * Registers, renews and acknowledges in one, and reads a page of the log.
 *
 * KEYS state, log · ARGV (FRESH's) instance or '', its epoch, applied, page, settle or '', vouch: since or '', marks,
 *   who or '', then id and version of each member to take for dead
 * Returns { epoch, settled, since, marks, time, last id of the page or '', more, { text, … },
 *   { id, version, applied, … } }
 * Atomic: the member is written before the log is read, or a revoke between the two would be missed by both.
 */
const sync = `${FRESH}
local instance, isCurrent = ARGV[5], ARGV[6] == epoch
local from = isCurrent and ARGV[7] or '0-0'
local version = redis.call('HINCRBY', state, 'n', 1)
renew()
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
-- A few rows first: each may have as many entries as a page.
local chunk, at, rows = 2, from, nil
repeat
  rows = redis.call('XRANGE', log, '(' .. at, '+', 'COUNT', chunk)
  for _, row in ipairs(rows) do
    local text = row[2][2]
    -- In a row of many, four entries cost no more than one that has a row of its own.
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
 * Writes entries to the log and to the denylist.
 *
 * KEYS state, log, the denylist key of each entry · ARGV (FRESH's), then kind, id, before ('now', 'birth' or ms), until
 *   ('' or ms), reason of each
 * Returns { epoch, id of the last entry, or 0-0 if none was written, { id, version, applied, … } }
 * 'birth' is for tokens of earlier epochs, whose sessions may be lost: the epoch's mark is put before the id. Leases
 * from before the epoch, and with them such tokens, outlive its beginning by W, by clocks that may be τ ahead: as
 * `since`, it is 3τ later. Once none of those tokens can be alive, such an entry isn't written.
 * Atomic: whoever is a member at that moment is told, and answers for itself; a denial is only ever lengthened.
 */
const revoke = `${FRESH}
local last, written = '0-0', 0
local born = tonumber(redis.call('HGET', state, 'born'))
local function write(i, at)
  local before = ARGV[at + 2] == 'now' and now + tau or ARGV[at + 2] == 'birth' and born + 3 * tau or tonumber(ARGV[at + 2])
  local till = ARGV[at + 3] == '' and now + keep or math.min(tonumber(ARGV[at + 3]), now + keep)
  local mark = ARGV[at + 2] == 'birth' and string.sub(epoch, 1, 8) or ''
  local text = ARGV[at] .. ' ' .. int(before) .. ' ' .. int(till) .. ' ' .. mark .. ARGV[at + 1]
  local old = redis.call('GET', KEYS[i])
  if old then
    local oldBefore, oldTill = string.match(old, '^(%d+) (%d+)')
    before, till = math.max(before, tonumber(oldBefore)), math.max(till, tonumber(oldTill))
  end
  if till > now then
    redis.call('SET', KEYS[i], int(before) .. ' ' .. int(till) .. ' ' .. ARGV[at + 4], 'PXAT', int(till))
  end
  -- After what may be refused by itself: an entry that isn't counted would begin a new epoch.
  last = redis.call('XADD', log, '*', 'e', text)
  written = written + 1
end
for i = 3, #KEYS do
  local at = 5 + (i - 3) * 5
  if ARGV[at + 2] ~= 'birth' or now <= born + keep then write(i, at) end
end
local trimmed = redis.call('XTRIM', log, 'MINID', '~', int(math.max(0, now - keep)))
redis.call('HINCRBY', state, 'len', written - trimmed)
renew()
return { epoch, last, members() }`

/**
 * Writes entries again that an earlier epoch's log had, as one row; their denylist keys come later.
 *
 * KEYS state, log · ARGV (FRESH's), the latest `until` of all, the row: `many <count>`, then `kind before until id` in
 *   lines
 * Returns { epoch, id of the row, { id, version, applied, … } }
 * Atomic: a row that isn't counted would begin a new epoch.
 */
const publish = `${FRESH}
local latest, text = now + keep, ARGV[6]
-- Only where this server's clock is behind that of the one that the entries come from.
if tonumber(ARGV[5]) > latest then
  text = string.gsub(text, '(%l+ %d+ )(%d+)( [^\\n]*\\n)', function(start, till, rest)
    return start .. int(math.min(tonumber(till), latest)) .. rest
  end)
end
local row = redis.call('XADD', log, '*', 'e', text)
local trimmed = redis.call('XTRIM', log, 'MINID', '~', int(math.max(0, now - keep)))
redis.call('HINCRBY', state, 'len', 1 - trimmed)
renew()
return { epoch, row, members() }`

/**
 * Writes the denylist keys of entries that were published again. What is denied for longer already stays as it is.
 *
 * KEYS the denylist key of each entry · ARGV H + G (ms), reason, then before and until of each
 * Returns 1. Atomic: a denial is only ever lengthened.
 */
const deny = `
local function int(number) return string.format('%.0f', number) end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
for i, key in ipairs(KEYS) do
  local before, till = tonumber(ARGV[2 * i + 1]), math.min(tonumber(ARGV[2 * i + 2]), now + tonumber(ARGV[1]))
  local old = redis.call('GET', key)
  local oldBefore, oldTill, reason = string.match(old or '', '^(%d+) (%d+) ?(.*)$')
  if oldBefore then before, till = math.max(before, tonumber(oldBefore)), math.max(till, tonumber(oldTill)) end
  if till > now then redis.call('SET', key, int(before) .. ' ' .. int(till) .. ' ' .. (reason or ARGV[2]), 'PXAT', int(till)) end
end
return 1`

/** How many keys come first is said in each call: a revoke has one for each entry. */
export const LOG_SCRIPTS = {
  portcullisSync: sync,
  portcullisRevoke: revoke,
  portcullisPublish: publish,
  portcullisDeny: deny,
} as const
