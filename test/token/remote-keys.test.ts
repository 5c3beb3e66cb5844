/** The keys of an issuer from its URL, by a real HTTP server. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { mock } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Test } from 'tap'
import { createVerifier } from '../../plugins/jwt.js'
import type { Log } from '../../src/logger.js'
import { fetchKeySet } from '../../src/token/fetch-key-set.js'
import { RemoteKeys } from '../../src/token/remote-keys.js'
import type { RemoteKeysOptions } from '../../src/token/remote-keys.js'
import { AUDIENCE, ISSUER, newKey } from '../support/access-tokens.js'
import { published, startJwksServer } from '../support/jwks-server.js'
import { MovableClock } from '../support/movable-clock.js'

const [a, b, c] = [await newKey('ES256'), await newKey('EdDSA'), await newKey('ES384')]

function open(t: Test, url: string, change: Partial<RemoteKeysOptions> = {}) {
  const events: { event: string; reason?: string; kids?: string[] }[] = []
  const write = (line: object) => void events.push(line as (typeof events)[0])
  const log = { info: write, warn: write } as unknown as Log
  const clock = new MovableClock()
  const trust = { issuer: ISSUER, audience: AUDIENCE }
  const keys = new RemoteKeys({
    url,
    algorithm: undefined,
    createVerifier: (key) => createVerifier(key, trust),
    log,
    clock,
    ...change,
  })
  t.teardown(() => keys.close())
  return { keys, clock, events }
}

t.test('while no key was ever fetched, the state of every token is unknown', async (t) => {
  const server = await startJwksServer(t)
  server.respond((_, response) => void response.writeHead(500).end())
  const { keys, events } = open(t, server.url)
  await keys.refresh()
  await keys.refresh()
  t.throws(() => keys.get(a.kid), { code: 'store_unavailable', statusCode: 503 })
  t.equal(keys.load(a.kid), undefined, 'nothing to wait for')
  t.notOk(keys.isAvailable)
  t.match(events, [{ event: 'jwks_failed', reason: 'status 500' }])
  t.equal(events.length, 1, 'logged once')

  server.publish([published(a)])
  await keys.refresh()
  t.equal(keys.get(a.kid)?.algorithm, 'ES256')
  t.equal(keys.get(b.kid), undefined)
  t.ok(keys.isAvailable)
  t.match(events.slice(1), [{ event: 'jwks_fetched', kids: [a.kid] }])
})

t.test('known keys outlive an outage, and keep their verifiers while unchanged', async (t) => {
  const server = await startJwksServer(t, [published(a), published(b)])
  const { keys, events } = open(t, server.url)
  await keys.refresh()
  const [first, second] = [keys.get(a.kid), keys.get(b.kid)]
  for (const body of ['', 'not JSON', '{"keys":[]}', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', '{}']) {
    server.respond((_, response) => void response.end(body))
    await keys.refresh()
    t.equal(keys.get(a.kid), first, body)
  }
  t.equal(events.filter(({ event }) => event === 'jwks_failed').length, 1, 'one line for the outage')
  server.publish([published(a), published(b)])
  await keys.refresh()
  t.equal(keys.get(a.kid), first)
  t.equal(keys.get(b.kid), second)
  t.match(events.at(-1), { event: 'jwks_fetched' })
})

t.test('a rotation adds the new key, and a key that is withdrawn is unknown at once', async (t) => {
  const server = await startJwksServer(t, [published(a)])
  const { keys, events } = open(t, server.url)
  await keys.refresh()
  const old = keys.get(a.kid)
  server.publish([published(a), published(b)])
  await keys.refresh()
  t.equal(keys.get(a.kid), old)
  t.ok(keys.get(b.kid))
  server.publish([published(b)])
  await keys.refresh()
  t.equal(keys.get(a.kid), undefined)
  t.strictSame(
    events.map(({ kids }) => kids),
    [[a.kid], [a.kid, b.kid], [b.kid]],
  )
})

t.test('a key that changes under its id gets another verifier', async (t) => {
  const under = (key: typeof a) => ({ ...(published(key) as object), kid: 'current' })
  const server = await startJwksServer(t, [under(a)])
  const { keys } = open(t, server.url)
  await keys.refresh()
  const old = keys.get('current')
  server.publish([under(c)])
  await keys.refresh()
  t.not(keys.get('current'), old)
  t.equal(keys.get('current')?.algorithm, 'ES384')
})

t.test('an unknown key id is looked for once a minute, by one fetch for all requests', async (t) => {
  const server = await startJwksServer(t, [published(a)])
  const { keys, clock } = open(t, server.url)
  await keys.refresh()
  t.equal(keys.load(a.kid), undefined, 'a known one needs no fetch')
  server.publish([published(a), published(b)])
  await Promise.all(Array.from({ length: 500 }, () => keys.load(b.kid)))
  t.equal(server.requests, 2)
  t.ok(keys.get(b.kid))

  const flood = Array.from({ length: 10_000 }, (_, i) => keys.load(`invented-${i}`))
  t.ok(
    flood.every((waiting) => waiting === undefined),
    'nobody waits',
  )
  clock.advance(59_999)
  t.equal(keys.load('invented'), undefined)
  clock.advance(1)
  const next = Array.from({ length: 10_000 }, (_, i) => keys.load(`invented-${i}`))
  t.equal(next.filter((waiting) => waiting !== undefined).length, 1_000, 'few wait')
  await Promise.all(next)
  t.equal(server.requests, 3)
})

t.test('keys are fetched every 5 min, and every second while there are none', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  let fetches = 0
  let set: unknown
  const fetch = async () => {
    fetches += 1
    if (set === undefined) throw new Error('no connection')
    return JSON.stringify(set)
  }
  const { keys } = open(t, 'http://127.0.0.1:9/', { fetch })
  await keys.refresh()
  const tick = async (milliseconds: number) => {
    mock.timers.tick(milliseconds)
    await keys.refresh().catch(() => {})
  }
  t.equal(fetches, 1)
  mock.timers.tick(999)
  t.equal(fetches, 1)
  set = { keys: [published(a)] }
  await tick(1)
  t.equal(fetches, 2, 'after 1 s')
  t.ok(keys.isAvailable)
  mock.timers.tick(299_999)
  t.equal(fetches, 2)
  await tick(1)
  t.equal(fetches, 3, 'after 5 min')
  keys.close()
  mock.timers.tick(600_000)
  t.equal(fetches, 3, 'never after the close')
})

t.test('a response too long, a late one, and one of another server are no key set', async (t) => {
  const server = await startJwksServer(t)
  const other = await startJwksServer(t, [published(a)])
  const signal = new AbortController().signal
  const refused = async (handler: Parameters<typeof server.respond>[0], words: RegExp) => {
    server.respond(handler)
    await t.rejects(fetchKeySet(server.url, signal), { message: words })
  }
  await refused((_, response) => void response.end('x'.repeat(65_537)), /maxResponseSize|exceeded/i)
  await refused((_, response) => void response.writeHead(200).write('x'.repeat(70_000)), /exceeded/i)
  await refused((_, response) => void response.writeHead(404).end(), /^status 404$/)
  await refused((_, response) => void response.writeHead(304).end(), /^status 304$/)
  const to = (location: string) => (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(302, { location }).end()
  await refused(to(other.url), /redirect to another origin/)
  await refused(to('//127.0.0.2/jwks.json'), /redirect to another origin/)
  await refused(to('file:///etc/passwd'), /redirect to another origin/)
  await refused(to('http://'), /redirect to another origin/)
  await refused(to('/jwks.json'), /more than 3 redirects/)
  t.equal(other.requests, 0, 'the other server was never asked')

  const abort = new AbortController()
  server.respond(() => abort.abort(new Error('closed')))
  await t.rejects(fetchKeySet(server.url, abort.signal), { message: 'closed' }, 'a close ends a fetch')
})

t.test('a redirect within the origin is followed', async (t) => {
  const server = await startJwksServer(t)
  server.respond(({ url }, response) => {
    if (url === '/jwks.json') response.writeHead(308, { location: '/v2/keys' }).end()
    else response.end(`{"keys":[],"url":"${url}"}`)
  })
  t.match(await fetchKeySet(server.url, new AbortController().signal), '/v2/keys')
})

t.test('a server that accepts and says nothing ends the fetch after 5 s', { timeout: 30_000 }, async (t) => {
  const server = await startJwksServer(t)
  server.respond(() => {})
  // Node 20 collects a timeout that only a combined signal refers to, which then never fires.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const collecting = setInterval(collect, 500)
  t.teardown(() => clearInterval(collecting))
  const begunAt = performance.now()
  await t.rejects(fetchKeySet(server.url, new AbortController().signal), {
    message: 'no response within 5 s',
  })
  t.ok(performance.now() - begunAt > 4_900)
})
