/** What lies in Redis, and in which order it gets there. */
import t from 'tap'
import { formatRefreshToken, hashSecret } from '../../src/token/refresh-token.js'
import { PROOF } from '../support/refresh-token-proof.js'
import { connect, startRedis } from '../support/redis.js'
import { begin, end, rotated, someone, use } from '../support/session-store.js'
import { dump, monitored, openConnection, openOnRedis, redisHarness } from '../support/redis-session-store.js'

/** The spellings in which a secret could lie about. */
function spellings(secret: string): string[] {
  const bytes = [Buffer.from(secret, 'base64url'), Buffer.from(secret)]
  return bytes
    .flatMap((one) => [
      one.toString('base64url'),
      one.toString('hex'),
      one.toString('latin1'),
      one.toString('base64'),
    ])
    .concat(secret)
}

t.test('no key or value contains a secret or family of any token, in any encoding', async (t) => {
  const harness = await openOnRedis(t)
  const sub = someone()
  const tokens = []
  for (const fate of ['untouched', 'rotated', 'ended', 'stolen'] as const) {
    const { session, token } = await begin(harness, { sub, claims: { fate } })
    tokens.push(token)
    if (fate === 'untouched') continue
    const next = await rotated(t, harness, token)
    await use(harness, token)
    tokens.push(next, await rotated(t, harness, next))
    if (fate === 'ended') await end(harness, session.sid)
    if (fate === 'stolen') t.equal((await use(harness, token)).outcome.kind, 'reused')
  }
  t.equal(tokens.length, 10)
  const all = JSON.stringify(await dump(harness.servers[0]!, harness.prefix)).toLowerCase()
  for (const token of tokens) {
    // these must be there, or the search is blind
    t.ok(all.includes(token.sid.toLowerCase()), 'the sid is found')
    t.ok(all.includes(hashSecret(token.family).toLowerCase()), 'the hash of the family is found')
    const secrets = [formatRefreshToken(token, PROOF), ...spellings(token.secret), ...spellings(token.family)]
    const found = secrets.filter((secret) => all.includes(secret.toLowerCase()))
    t.same(found, [])
  }
})

t.test('nothing stored in Redis works as a token', async (t) => {
  const harness = await openOnRedis(t)
  const { session, token } = await begin(harness)
  const next = await rotated(t, harness, token)
  const [, values] = Object.entries(await dump(harness.servers[0]!, harness.keys.session(session.sid)))[0]!
  t.ok(values.includes(hashSecret(next.secret)), 'the record of the session was read')
  for (const secret of values) {
    for (const family of values) {
      t.equal((await use(harness, { sid: token.sid, family, secret })).outcome.kind, 'forged')
    }
  }
})

t.test('the index is written before the session, and every key always has a TTL', async (t) => {
  const own = await startRedis(t)
  const client = await openConnection(t, own.url)
  const harness = redisHarness(client, [connect(t, own.url)])
  const { prefix } = harness
  await begin(harness) // so that the scripts are known
  const writes = new Set(['ZADD', 'HSET', 'PEXPIRE', 'SET', 'EXPIRE'])
  const sub = someone()
  const run = await monitored(t, own.url, prefix, () => begin(harness, { sub }))
  const steps = run
    .filter(([name = '']) => writes.has(name))
    .map(([name, key = '']) => [name, key.includes(':subject:') ? 'index' : 'session'])
  t.strictSame(steps, [
    ['ZADD', 'index'],
    ['PEXPIRE', 'index'],
    ['HSET', 'session'],
    ['PEXPIRE', 'session'],
  ])
  const fromClient = run.filter(([name = '']) => name.startsWith('EVAL'))
  t.equal(fromClient.length, 2, 'each in a script: whole or not at all')
  t.match(fromClient, [[/EVALSHA/, String, '1', `${prefix}:subject:${sub}`], [/EVALSHA/]])
})

t.test(
  'a rotation without an absolute limit updates the index; with one it is a single command',
  async (t) => {
    const own = await startRedis(t)
    const harness = redisHarness(await openConnection(t, own.url), [connect(t, own.url)])
    for (const [absolute, scripts] of [
      [undefined, 1],
      [0, 2],
    ] as const) {
      const { token } = await begin(harness, { ...(absolute !== undefined && { absolute }) })
      const warm = await rotated(t, harness, token)
      const run = await monitored(t, own.url, harness.prefix, () => rotated(t, harness, warm))
      t.equal(run.filter(([name = '']) => name.startsWith('EVAL')).length, scripts)
    }
  },
)
