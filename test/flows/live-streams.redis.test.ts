/** Streams of a session that ends on another instance. */
import t from 'tap'
import type { Test } from 'tap'
import { claimsOf, logIn } from '../support/gateway-process.js'
import type { Tokens } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'
import { ADMIN, logout, revoke, startInstances } from '../support/gateway-instances.js'
import type { Instance } from '../support/gateway-instances.js'
import { areCut, goOn, isInTime, openAll, startTicker } from '../support/long-lived-streams.js'
import type { End, Stream } from '../support/long-lived-streams.js'

t.setTimeout(60_000)

const upstream = await startTicker(t)

interface Instances {
  /** Where sessions begin and end. */
  readonly here: Instance
  /** Opens streams of all kinds on each of the others. */
  open(tokens: Tokens): Promise<Stream[]>
}

async function start(t: Test, check: 'replica' | 'redis', count: number): Promise<Instances> {
  const { url } = await startRedis(t)
  const settings = { routes: [{ path: '/', upstream }], revocation: { check }, admin: ADMIN }
  const stores = Array.from({ length: count }, () => url)
  const [here, ...others] = (await startInstances(t, stores, settings)) as [Instance, ...Instance[]]
  const open = ({ access_token }: Tokens) =>
    Promise.all(others.map((instance) => openAll(t, instance.url, access_token)))
  return { here, open: async (tokens) => (await open(tokens)).flat() }
}

/** Ends sessions one after the other; gives how long after the 204 each of their streams was seen to end. */
async function logoutThree(t: Test, { here, open }: Instances): Promise<End[]> {
  const all: End[] = []
  for (let n = 0; n < 3; n += 1) {
    const tokens = await logIn(here.url)
    const streams = await open(tokens)
    t.equal((await logout(here, tokens.access_token)).status, 204)
    const answeredAt = performance.now()
    const ends = await areCut(t, streams, 'session_ended')
    all.push(...ends.map((end) => ({ ...end, at: end.at - answeredAt })))
  }
  return all
}

t.test('the replica', async (t) => {
  const instances = await start(t, 'replica', 3)
  const { here, open } = instances
  const ofBob = await open(await logIn(here.url, 'bob'))

  await t.test('a logout cuts the connections of its session on every instance, and no others', async (t) => {
    const ofAnother = await open(await logIn(here.url))
    const began = performance.now()
    isInTime(t, 0, await logoutThree(t, instances), 'from the 204', began)
    await goOn(t, [...ofBob, ...ofAnother])
  })

  await t.test('every kind of entry cuts the connections that it covers', async (t) => {
    const covers = { jti: 'token_revoked', sid: 'session_ended', sub: 'token_revoked' } as const
    for (const [kind, code] of Object.entries(covers)) {
      const tokens = await logIn(here.url)
      const streams = await open(tokens)
      t.equal((await revoke(here, { [kind]: claimsOf(tokens.access_token)[kind] })).status, 201)
      const since = performance.now()
      isInTime(t, since, await areCut(t, streams, code), kind)
    }
    await goOn(t, ofBob)
    const [header] = (await logIn(here.url)).access_token.split('.')
    const { kid } = JSON.parse(Buffer.from(header!, 'base64url').toString()) as { kid: string }
    t.equal((await revoke(here, { kid })).status, 201)
    const since = performance.now()
    isInTime(t, since, await areCut(t, ofBob, 'token_revoked'), 'kid')
  })
})

t.test('check: redis: a logout cuts connections, too', async (t) => {
  const instances = await start(t, 'redis', 2)
  const ofBob = await instances.open(await logIn(instances.here.url, 'bob'))
  const began = performance.now()
  isInTime(t, 0, await logoutThree(t, instances), 'from the 204', began)
  await goOn(t, ofBob)
})
