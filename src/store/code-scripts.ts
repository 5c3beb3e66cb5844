import type { Script } from './session-scripts.js'

/**
 * Stores a new one-time code.
 *
 * KEYS code · ARGV lifetime (ms), field, value, …
 * Returns 1. Atomic: a record without a TTL would never expire.
 */
const createCode: Script = {
  name: 'portcullisCreateCode',
  keys: 1,
  lua: `
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1`,
}

/**
 * Uses up a one-time code.
 *
 * KEYS code
 * ARGV challenge of the presented verifier or '', presented client or '', id of the session that the first use begins,
 *   now (ms), time when the command was sent (ms)
 * Returns { 'used', issuing session, sub, client or '' } · { 'reused', session that the first use began, sub } ·
 *   { 'mismatch' } · { 'unknown' }
 * Error LATE if the command was in transit for more than 5 s. A server that was frozen would otherwise use up the code
 *   for a caller that no longer waits, and the caller's later retry would count as a second use.
 * Atomic: only one of two uses may be the first.
 */
const useCode: Script = {
  name: 'portcullisUseCode',
  keys: 1,
  lua: `
local t = redis.call('TIME')
if tonumber(t[1]) * 1000 - tonumber(ARGV[5]) > 5000 then
  return redis.error_reply('LATE this use of a code is too old; its caller was answered long ago')
end
local r = redis.call('HMGET', KEYS[1], 'issuer', 'sub', 'client', 'challenge', 'expires', 'first')
if not r[1] or tonumber(ARGV[4]) >= tonumber(r[5]) then return { 'unknown' } end
if r[4] ~= ARGV[1] or (r[3] ~= '' and r[3] ~= ARGV[2]) then return { 'mismatch' } end
if r[6] then return { 'reused', r[6], r[2] } end
redis.call('HSET', KEYS[1], 'first', ARGV[3])
return { 'used', r[1], r[2], r[3] }`,
}

/** The scripts of one-time codes. Each uses the one key of its code. */
export const CODE_SCRIPTS = { createCode, useCode } as const
