/** What a whole run of all flows leaves in Redis and in the log. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Redis } from 'ioredis'
import { redisKeys } from '../../src/redis/keys.js'
import type { Tokens } from '../support/gateway-process.js'
import {
  USERS,
  call,
  cookiesOf,
  home,
  logIn,
  logInByCookies,
  serveGateway,
  soon,
  startBlog,
} from '../support/gateway-process.js'
import { connect, startRedis } from '../support/redis.js'

const PREFIX = 'at-rest'
/** Nothing lives longer than a session may, and a moment. */
const MAX_SECONDS = 90 * 86_400 + 70

const redis = await startRedis(t)
const client = connect(t, redis.url)
const blog = await startBlog(t)
const directory = await home(t)
const settings = {
  store: redis.url,
  revocation: { check: 'redis' },
  keyPrefix: PREFIX,
  log: { level: 'trace' },
  rateLimit: { login: { perAccount: { failures: 3 } } },
  routes: [{ path: '/', upstream: blog }],
}
const gateways = [await serveGateway(t, settings, directory), await serveGateway(t, settings, directory)]
const [here, there] = gateways.map(({ url }) => url) as [string, string]

/** Every secret that went over the wire. */
const secrets = new Set<string>(Object.values(USERS))

for (const line of (await readFile(join(directory, 'users.htpasswd'), 'utf8')).trim().split('\n'))
  secrets.add(line.split(':')[1]!)

function keep({ access_token, refresh_token }: Tokens): Tokens {
  for (const part of [access_token, ...access_token.split('.').slice(2)]) secrets.add(part)
  // The first part is the sid, which is no secret.
  for (const part of [refresh_token, ...refresh_token.split('.').slice(1)]) secrets.add(part)
  return { access_token, refresh_token, session_id: refresh_token.split('.')[0]! }
}

const asTokens = (cookies: Record<string, string>) =>
  keep({
    access_token: cookies['__Host-access']!,
    refresh_token: cookies['__Secure-refresh']!,
    session_id: '',
  })

/** A secret that isn't one of ours, but somebody's all the same. */
function guess(text: string): string {
  secrets.add(text)
  return text
}

async function runAllFlows(): Promise<void> {
  const refresh = (base: string, refresh_token: string) =>
    call(base, 'POST', '/auth/refresh', { json: { refresh_token } })
  const wrong = (username: string) =>
    call(here, 'POST', '/auth/login', { json: { username, password: guess(`wrong-guess-of-${username}`) } })

  const first = keep(await logIn(here))
  const second = keep((await refresh(there, first.refresh_token)).body as Tokens)
  keep((await refresh(here, first.refresh_token)).body as Tokens)
  const third = keep((await refresh(here, second.refresh_token)).body as Tokens)
  await refresh(there, first.refresh_token) // theft
  await call(there, 'GET', '/post/all', { token: third.access_token })

  const cookies = await logInByCookies(here)
  asTokens(cookies)
  const renewed = await call(there, 'POST', '/auth/refresh', { cookies, headers: { origin: there } })
  asTokens(cookiesOf(renewed.setCookie))
  await call(there, 'GET', '/post/all', { cookies: cookiesOf(renewed.setCookie) })
  await call(there, 'POST', '/auth/logout', {
    cookies: cookiesOf(renewed.setCookie),
    headers: { origin: there },
  })

  const staying = keep(await logIn(here, 'bob'))
  const ended = keep(await logIn(there, 'bob'))
  await call(here, 'GET', '/auth/sessions', { token: staying.access_token })
  await call(here, 'DELETE', `/auth/sessions/${ended.session_id}`, { token: staying.access_token })
  await call(here, 'GET', '/post/all', { token: staying.access_token })
  await call(here, 'POST', '/auth/logout', {
    token: staying.access_token,
    json: { all: true, keepCurrent: true },
  })
  const byRefresh = keep(await logIn(here, 'bob'))
  await call(there, 'POST', '/auth/logout', { json: { refresh_token: byRefresh.refresh_token } })

  for (const name of ['ada', 'ada', 'ada', 'ada', 'nobody', 'x'.repeat(256)]) await wrong(name)
  await call(here, 'GET', '/auth/me', { token: guess('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.sig-nature') })
  const odd = guess('not.a.refresh-token-of-ours')
  await call(here, 'POST', '/auth/refresh', { json: { refresh_token: odd } })
  await call(here, 'POST', '/auth/login', {
    body: `{"password":"${guess('in-broken-json')}"`,
    headers: { 'content-type': 'application/json' },
  })
  await call(here, 'GET', '/post', {
    headers: { authorization: `Basic ${guess('YWRhOmJhc2ljLXNlY3JldA==')}` },
  })
}

await runAllFlows()

async function keysIn(of: Redis): Promise<string[]> {
  const keys: string[] = []
  for await (const some of of.scanStream({ count: 1_000 })) keys.push(...(some as string[]))
  return keys.toSorted()
}

async function valueOf(key: string): Promise<string> {
  const type = await client.type(key)
  if (type === 'string') return (await client.get(key)) ?? ''
  if (type === 'hash') return JSON.stringify(await client.hgetall(key))
  if (type === 'stream') return JSON.stringify(await client.xrange(key, '-', '+'))
  if (type === 'zset') return JSON.stringify(await client.zrange(key, '0', '-1', 'WITHSCORES'))
  throw new Error(`${key} is of a type that the registry does not know: ${type}`)
}

t.test('every key is in the registry and has a TTL', async (t) => {
  const names = redisKeys(PREFIX)
  const kinds = {
    session: names.session('@'),
    subject: names.subject('@'),
    'deny sid': names.deny('sid', '@'),
    log: `${names.log}@`,
    'state of the log': `${names.logState}@`,
    'settings of the instances': `${names.settings}@`,
    'limit of accounts': `${names.limit('login-account')}@`,
    'limit of successes by address': `${names.limit('login-address-success')}@`,
    'limit of addresses': `${names.limit('login-address')}@`,
    'limit of good logins': `${names.limit('login-success')}@`,
    'accounts known at an address': `${names.limit('login-known')}@`,
    'addresses of an account': `${names.limit('login-addresses')}@`,
    'limit of refreshes': `${names.limit('refresh-address')}@`,
  }
  const found = new Set<string>()
  for (const key of await keysIn(client)) {
    const kind = Object.entries(kinds).find(([, name]) => key.startsWith(name.slice(0, -1)))
    t.ok(kind, `${key} is in the registry`)
    found.add(kind?.[0] ?? key)
    const ttl = await client.ttl(key)
    t.ok(ttl > 0 && ttl <= MAX_SECONDS, `${key} lives ${ttl} s`)
  }
  t.strictSame([...found].toSorted(), Object.keys(kinds).toSorted(), 'the run has left each kind behind')
})

t.test('no token, secret or password is in any key or value', async (t) => {
  const keys = await keysIn(client)
  const everything = (await Promise.all(keys.map(async (key) => `${key} ${await valueOf(key)}`))).join('\n')
  t.ok(secrets.size > 30 && everything.length > 500)
  for (const secret of secrets) t.notOk(everything.includes(secret), secret.slice(0, 12))
})

t.test('nor in the log at trace level, where each event has its line', async (t) => {
  const records = () => gateways.flatMap((gateway) => gateway.records())
  await soon('the last event is logged', () => records().some(({ event }) => event === 'login_limited'))
  const output = gateways.map((gateway) => gateway.output()).join('\n')
  for (const secret of secrets) t.notOk(output.includes(secret), secret.slice(0, 12))
  const counts: Record<string, number> = {}
  for (const { event } of records()) counts[String(event)] = (counts[String(event)] ?? 0) + 1
  t.match(counts, {
    started: 2,
    key_created: 1,
    login: 5,
    login_failed: 5,
    login_limited: 1,
    refresh: 3,
    refresh_token_reused: 1,
    logout: 3,
  })
  const others = records().filter(
    ({ event, msg }) => event === undefined && !String(msg).startsWith('Server listening'),
  )
  t.strictSame(others, [], 'no line without an event, such as one a request')
})
