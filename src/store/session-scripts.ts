/**
 * Every Lua script. Each is run whole or not at all and touches one slot of a Cluster. Times are Unix ms of the caller,
 * so that a test can move them; lives are relative, so that the clocks needn't agree for a TTL to be right.
 */
export interface Script {
  readonly name: string
  readonly keys: number
  readonly lua: string
}

/** Fields of a session's record that a reply brings, in this order. */
export const SESSION_FIELDS = [
  'sub',
  'client',
  'scope',
  'claims',
  'device',
  'ip',
  'agent',
  'created',
  'seen',
  'ends',
  'expires',
  'count',
  'mark',
] as const

const FIELD_LIST = SESSION_FIELDS.map((field) => `'${field}'`).join(', ')

/**
 * Turns a record into its tombstone, which keeps just enough to recognise the session's tokens. `family` is nil if
 * there was no record.
 */
const BURY = `
local function bury(key, reason, sub, family, ttl)
  redis.call('DEL', key)
  redis.call('HSET', key, 'ended', reason, 'sub', sub)
  if family then redis.call('HSET', key, 'family', family) end
  redis.call('PEXPIRE', key, ttl)
end`

/**
 * Removes ids whose session has ended by the clock of the caller and by that of Redis: a caller's clock that is ahead
 * for a moment must not remove ids that "log out everywhere" still has to find.
 */
const PRUNE = `
local function prune(index, now, slack)
  local t = redis.call('TIME')
  local oldest = math.min(tonumber(now), tonumber(t[1]) * 1000) - tonumber(slack)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. string.format('%.0f', oldest))
end`

/**
 * Prunes an index before it is read.
 *
 * KEYS index · ARGV now, how long an id outlives its session (ms)
 * Returns 1. Atomic: it compares with the clock of Redis.
 */
const pruneIndex: Script = {
  name: 'portcullisPruneIndex',
  keys: 1,
  lua: `${PRUNE}
prune(KEYS[1], ARGV[1], ARGV[2])
return 1`,
}

/**
 * Enters a session in its subject's index, or moves its latest possible end.
 *
 * KEYS index · ARGV sid, latest possible end, now, how long an id outlives its session, life of the entry (all ms)
 * Returns 1. Atomic: the index must not be without a TTL, nor ever get a shorter one than its longest session needs.
 * The latest end only ever moves to a later time: after `tokens.refresh` was made shorter, an access token from before
 * may outlive the new end. Each call prunes, so that an index that nobody reads stays small, too.
 */
const indexSession: Script = {
  name: 'portcullisIndexSession',
  keys: 1,
  lua: `${PRUNE}
prune(KEYS[1], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
return 1`,
}

/**
 * Stores a new session.
 *
 * KEYS session · ARGV life in ms, field, value, …
 * Returns 1, or 0 if the key exists. Atomic: a record without a TTL would live for ever.
 */
const createSession: Script = {
  name: 'portcullisCreateSession',
  keys: 1,
  lua: `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1`,
}

/**
 * Uses up a refresh token.
 *
 * KEYS session
 * ARGV family hash, secret hash, salt, successor hash, now, idle, refresh limit, grace, tombstone life, slack (all
 *   ms), mark, clock of the sender (ms)
 * Returns { kind, … }: { 'rotated', fields, former mark, former time } ·
 *   { 'retried', fields, former mark, former time, salt } · { 'reused', sub } · { 'ended', sub, reason } ·
 *   { 'expired' } · { 'limit_reached' } · { 'forged' } · { 'unknown' }
 * Error LATE: a frozen server that wakes up would rotate for a caller that has gone, and whose retry would look like
 *   theft.
 * Atomic: of two uses of one token only one may rotate, and a logout comes wholly before or wholly after.
 */
const rotateSession: Script = {
  name: 'portcullisRotateSession',
  keys: 1,
  lua: `${BURY}
local key = KEYS[1]
local t = redis.call('TIME')
if tonumber(t[1]) * 1000 - tonumber(ARGV[12]) > 5000 then
  return redis.error_reply('LATE this rotation is too old; its caller was answered long ago')
end
local family, secret, salt, successor = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, idle, limit, grace = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local r = redis.call('HMGET', key, 'family', 'ended', 'sub', 'current', 'previous', 'salt', 'rotated',
  'expires', 'ends', 'count', 'mark', 'seen', 'formerMark', 'formerSeen')
if not r[1] and not r[2] then return { 'unknown' } end
if r[1] and r[1] ~= family then return { 'forged' } end
if r[2] then return { 'ended', r[3], r[2] } end
if now >= tonumber(r[8]) then return { 'expired' } end
if secret == r[5] and now < tonumber(r[7]) + grace then
  return { 'retried', redis.call('HMGET', key, ${FIELD_LIST}), r[13], r[14], r[6] }
end
if secret ~= r[4] then
  bury(key, 'reuse', r[3], family, ARGV[9])
  return { 'reused', r[3] }
end
if limit > 0 and tonumber(r[10]) >= limit then return { 'limit_reached' } end
local ends = tonumber(r[9])
local expires = now + idle
if idle == 0 or (ends > 0 and ends < expires) then expires = ends end
redis.call('HSET', key, 'previous', secret, 'current', successor, 'salt', salt,
  'rotated', ARGV[5], 'seen', ARGV[5], 'mark', ARGV[11], 'formerMark', r[11], 'formerSeen', r[12], 'expires', string.format('%.0f', expires))
redis.call('HINCRBY', key, 'count', 1)
redis.call('PEXPIRE', key, string.format('%.0f', expires - now + tonumber(ARGV[10])))
return { 'rotated', redis.call('HMGET', key, ${FIELD_LIST}), r[11], r[12] }`,
}

/**
 * Ends a session and leaves its tombstone; also without a record, if the id is in an index.
 *
 * KEYS session · ARGV reason, family hash or '', subject or '', tombstone life in ms, subject in whose index it is or ''
 * Returns { 'ended', sub } · { 'already_ended', sub } · { 'foreign' } · { 'unknown' }
 * Atomic: the test of who may end it and the end itself must not be parted by a rotation.
 */
const endSession: Script = {
  name: 'portcullisEndSession',
  keys: 1,
  lua: `${BURY}
local r = redis.call('HMGET', KEYS[1], 'family', 'sub', 'ended')
if not r[1] and not r[3] then
  if ARGV[5] ~= '' then bury(KEYS[1], ARGV[1], ARGV[5], nil, ARGV[4]) end
  return { 'unknown' }
end
if ARGV[2] ~= '' and r[1] and ARGV[2] ~= r[1] then return { 'foreign' } end
if ARGV[3] ~= '' and ARGV[3] ~= r[2] then return { 'foreign' } end
if r[3] then return { 'already_ended', r[2] } end
bury(KEYS[1], ARGV[1], r[2], r[1], ARGV[4])
return { 'ended', r[2] }`,
}

export const SCRIPTS = {
  pruneIndex,
  indexSession,
  createSession,
  rotateSession,
  endSession,
} as const
