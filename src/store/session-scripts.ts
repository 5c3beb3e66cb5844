import { CODE_SCRIPTS } from './code-scripts.js'

/**
 * A Lua script of the session store. Each script runs atomically, and its keys share one slot of a Redis Cluster. The
 * caller passes the current time in Unix ms, which lets a test move it. Lifetimes are relative (ms), so a TTL is right
 * even if the clocks differ.
 */
export interface Script {
  readonly name: string
  readonly keys: number
  readonly lua: string
}

/** The fields of a session's record that a script returns, in this order. */
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
  'loginMark',
  'issued',
  'accessLife',
  'idle',
  'startedBy',
  'loggedIn',
  'credential',
  'browser',
] as const

const FIELD_LIST = SESSION_FIELDS.map((field) => `'${field}'`).join(', ')

/**
 * Replaces a record with its tombstone. The tombstone keeps the family, which distinguishes refresh tokens of this
 * session from forged ones. `family` is nil if the session had no record.
 */
const BURY = `
local function bury(key, reason, sub, family, ttl)
  redis.call('DEL', key)
  redis.call('HSET', key, 'ended', reason, 'sub', sub)
  if family then redis.call('HSET', key, 'family', family) end
  redis.call('PEXPIRE', key, ttl)
end`

/**
 * Returns the time (ms) at which a tombstone was written, from the rest of its lifetime. `ttl` is the whole lifetime.
 */
const ENDED_AT = `
local function endedAt(key, ttl)
  local t = redis.call('TIME')
  local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  return string.format('%.0f', now + redis.call('PTTL', key) - tonumber(ttl))
end`

/**
 * Removes ids whose latest end has passed by both the caller's clock and the clock of Redis. A caller's clock that is
 * ahead for a moment must not remove ids that "log out everywhere" still needs.
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
 * KEYS index · ARGV now, time that an id stays after its latest end (ms)
 * Returns 1. It is a script because it reads the clock of Redis.
 */
const pruneIndex: Script = {
  name: 'portcullisPruneIndex',
  keys: 1,
  lua: `${PRUNE}
prune(KEYS[1], ARGV[1], ARGV[2])
return 1`,
}

/**
 * Adds a session to its subject's index, or updates its latest possible end.
 *
 * KEYS index · ARGV sid, latest possible end, now, time that an id stays after its latest end, TTL of the index (all
 *   ms)
 * Returns 1. Atomic: the index must always have a TTL, and the TTL must never become shorter than its longest session
 * needs. The latest end never becomes earlier, because an access token from before `tokens.refresh` was shortened may
 * outlive the new end. Each call also prunes, which keeps an index small even if it is never read.
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
 * KEYS session · ARGV lifetime (ms), field, value, …
 * Returns 1, or 0 if the key exists. Atomic: a record without a TTL would never expire.
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
 * ARGV family hash, secret hash, salt, successor hash, now (ms), idle (ms) for sessions without their own, refresh limit
 *   (a number), grace (ms), lifetime of a tombstone (ms), slack (ms), jti prefix, time when the command was sent (ms),
 *   iat of the new access token (s), new claims or '', new scope or ''. The scope is used only with new claims.
 * Returns { 'rotated', fields, previous jti prefix, previous time } ·
 *   { 'retried', fields, previous jti prefix, previous time, salt } · { 'reused', sub } ·
 *   { 'ended', sub, reason, time of the end (ms) } ·
 *   { 'expired' } · { 'limit_reached' } · { 'forged' } · { 'unknown' }
 * Error LATE if the command was in transit for more than 5 s. A server that was frozen would otherwise rotate for a
 *   caller that no longer waits, and the caller's later retry would count as reuse.
 * Atomic: only one of two uses of a token may rotate, and a logout must not happen in the middle of a rotation.
 */
const rotateSession: Script = {
  name: 'portcullisRotateSession',
  keys: 1,
  lua: `${BURY}${ENDED_AT}
local key = KEYS[1]
local t = redis.call('TIME')
if tonumber(t[1]) * 1000 - tonumber(ARGV[12]) > 5000 then
  return redis.error_reply('LATE this rotation is too old; its caller was answered long ago')
end
local family, secret, salt, successor = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, idle, limit, grace = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local r = redis.call('HMGET', key, 'family', 'ended', 'sub', 'current', 'previous', 'salt', 'rotated',
  'expires', 'ends', 'count', 'mark', 'seen', 'formerMark', 'formerSeen', 'idle')
if not r[1] and not r[2] then return { 'unknown' } end
if r[1] and r[1] ~= family then return { 'forged' } end
if r[2] then return { 'ended', r[3], r[2], endedAt(key, ARGV[9]) } end
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
if r[15] then idle = tonumber(r[15]) end
local expires = now + idle
if idle == 0 or (ends > 0 and ends < expires) then expires = ends end
redis.call('HSET', key, 'previous', secret, 'current', successor, 'salt', salt,
  'rotated', ARGV[5], 'seen', ARGV[5], 'mark', ARGV[11], 'formerMark', r[11], 'formerSeen', r[12], 'expires', string.format('%.0f', expires),
  'issued', ARGV[13])
if ARGV[14] ~= '' then
  redis.call('HSET', key, 'claims', ARGV[14])
  if ARGV[15] ~= '' then redis.call('HSET', key, 'scope', ARGV[15]) else redis.call('HDEL', key, 'scope') end
end
redis.call('HINCRBY', key, 'count', 1)
redis.call('PEXPIRE', key, string.format('%.0f', expires - now + tonumber(ARGV[10])))
return { 'rotated', redis.call('HMGET', key, ${FIELD_LIST}), r[11], r[12] }`,
}

/**
 * Ends a session and writes its tombstone. If there is no record, it writes a tombstone only for an id that can't be
 * invented, because it is from an index or from a token of ours.
 *
 * KEYS session · ARGV reason, family hash or '', subject or '', lifetime of the tombstone (ms), subject whose index has
 *   the id or '', '1' if a token proves that the session has existed or ''
 * Returns { 'ended', sub } · { 'already_ended', sub, time of the end (ms) } · { 'foreign' } · { 'unknown' }
 * Atomic: no rotation may happen between the check of family and subject and the end of the session.
 */
const endSession: Script = {
  name: 'portcullisEndSession',
  keys: 1,
  lua: `${BURY}${ENDED_AT}
local r = redis.call('HMGET', KEYS[1], 'family', 'sub', 'ended')
if not r[1] and not r[3] then
  if ARGV[5] ~= '' or ARGV[6] ~= '' then bury(KEYS[1], ARGV[1], ARGV[5], nil, ARGV[4]) end
  return { 'unknown' }
end
if ARGV[2] ~= '' and r[1] and ARGV[2] ~= r[1] then return { 'foreign' } end
if ARGV[3] ~= '' and ARGV[3] ~= r[2] then return { 'foreign' } end
if r[3] then return { 'already_ended', r[2], endedAt(KEYS[1], ARGV[4]) } end
bury(KEYS[1], ARGV[1], r[2], r[1], ARGV[4])
return { 'ended', r[2] }`,
}

/**
 * Stores the cutoff of all sessions.
 *
 * KEYS cutoff · ARGV cutoff (ms) or 'now', tolerated difference of clocks (ms), TTL (ms)
 * Returns 1. Atomic: neither the cutoff nor its TTL may become smaller.
 */
const setCutoff: Script = {
  name: 'portcullisSetCutoff',
  keys: 1,
  lua: `
local cutoff, ttl = tonumber(ARGV[1]), tonumber(ARGV[3])
if ARGV[1] == 'now' then
  local t = redis.call('TIME')
  cutoff = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[2])
end
local old = tonumber(redis.call('GET', KEYS[1]) or '')
if old then cutoff, ttl = math.max(cutoff, old), math.max(ttl, redis.call('PTTL', KEYS[1])) end
redis.call('SET', KEYS[1], string.format('%.0f', cutoff), 'PX', string.format('%.0f', ttl))
return 1`,
}

/**
 * The registry of the scripts of sessions and codes. The scripts of the revocation log are in `log-scripts.ts`.
 */
export const SCRIPTS = {
  pruneIndex,
  indexSession,
  createSession,
  rotateSession,
  endSession,
  setCutoff,
  ...CODE_SCRIPTS,
} as const
