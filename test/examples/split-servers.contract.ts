/** The example `split-servers`: an auth server that signs, and business servers that verify. */
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { claimsOf } from '../support/gateway-process.js'
import { freePort } from '../support/free-port.js'
import { DAY, MINUTE, SECOND, moveTime, untilReady } from '../support/moved-time.js'

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
  readonly refresh_expires_in: number
}

interface Client {
  logIn(): Promise<boolean>
  logOut(): Promise<void>
  tokens(): Tokens | undefined
  request(path: string, options?: RequestInit): Promise<Response>
}

interface Users {
  findById(id: number): Promise<{ isActive: boolean } | undefined>
  update(id: number, changes: object): Promise<void>
}

type CreateServer = (options: object) => Promise<FastifyInstance[]>

const FOLDER = pathToFileURL(`${process.cwd()}/examples/schemes/split-servers/`)
const load = (file: string) => import(new URL(file, FOLDER).href)
const { createServer } = (await load('server.mjs')) as { createServer: CreateServer }
const { createUsers } = (await load('users.mjs')) as { createUsers: () => Promise<Users> }
const { createClient } = (await load('client.mjs')) as { createClient: (options: object) => Client }
const { createBusinessServer } = (await load('business-server.mjs')) as {
  createBusinessServer: (options: object) => Promise<FastifyInstance>
}

const ADA = { username: 'ada', password: 'gate-keeper-1843' }
const REMOVE = { method: 'DELETE' }

export interface StoreOptions {
  /** Gives the `store` of the auth server. */
  readonly startStore: (t: Test) => Promise<string>
  /** The reason to skip the tests that move the time. */
  readonly skip?: string | false
}

export function splitServersContract(t: Test, { startStore, skip = false }: StoreOptions): void {
  t.test('a business server accepts the token, by the public key and by its URL', async (t) => {
    const { business, clientOf } = await start(t, await startStore(t))
    for (const [name, apiUrl] of Object.entries(business)) {
      const { client, logins } = clientOf(apiUrl)
      const response = await client.request('/orders')
      t.equal(response.status, 200, name)
      t.match(await response.json(), { user: 'ada', orders: [{ id: 7 }] })
      t.equal(logins(), 1, 'after a 401 without a token')
      t.equal((await client.request('/orders/7', REMOVE)).status, 204)
    }
  })

  t.test('the tokens live for 30 minutes and a day, and are signed with RS256', async (t) => {
    const { business, clientOf } = await start(t, await startStore(t))
    const { client } = clientOf(business.byKey)
    await client.logIn()
    const { access_token: token, expires_in, refresh_expires_in } = client.tokens()!
    t.strictSame([expires_in, refresh_expires_in], [1_800, 86_400])
    const { sub, exp, iat } = claimsOf(token)
    t.strictSame([sub, exp - iat], ['1', 1_800])
    t.match(JSON.parse(String(Buffer.from(token.split('.')[0]!, 'base64url'))), { alg: 'RS256' })
  })

  t.test('only the auth server has the private key, and what needs it', async (t) => {
    const { authUrl, business } = await start(t, await startStore(t))
    const { keys } = (await (await fetch(`${authUrl}/.well-known/jwks.json`)).json()) as { keys: object[] }
    t.strictSame(
      keys.map((key) => Object.keys(key).toSorted()),
      [['alg', 'e', 'kid', 'kty', 'n', 'use']],
    )
    for (const url of Object.values(business))
      for (const [method, path] of [
        ['POST', '/auth/login'],
        ['POST', '/auth/refresh'],
        ['GET', '/.well-known/jwks.json'],
      ] as const)
        t.equal((await fetch(`${url}${path}`, { method })).status, 404, path)
  })

  t.test('after 30 minutes the client refreshes once, and tries again', { skip }, async (t) => {
    const { business, apps, clientOf } = await start(t, await startStore(t))
    const { client, logins } = clientOf(business.byKey)
    await client.logIn()
    const old = client.tokens()!
    await pass(t, apps, 30 * MINUTE - 10 * SECOND)
    t.equal((await client.request('/orders')).status, 200)
    t.equal(client.tokens(), old, 'not before')

    await pass(t, apps, 10 * SECOND)
    const responses = await Promise.all(Array.from({ length: 5 }, () => client.request('/orders')))
    t.strictSame(
      responses.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    )
    t.not(client.tokens()!.refresh_token, old.refresh_token)
    t.equal(claimsOf(client.tokens()!.access_token).sid, claimsOf(old.access_token).sid)
    t.equal(logins(), 1)
  })

  t.test(
    'each refresh extends the session by a day, and after that there is a login',
    { skip },
    async (t) => {
      const { business, apps, clientOf } = await start(t, await startStore(t))
      const { client, logins } = clientOf(business.byUrl)
      await client.logIn()
      for (let i = 0; i < 3; i += 1) {
        await pass(t, apps, 0.9 * DAY)
        t.equal((await client.request('/orders')).status, 200)
        t.equal(logins(), 1)
      }
      await pass(t, apps, 1 * DAY)
      t.equal((await client.request('/orders')).status, 200)
      t.equal(logins(), 2)
    },
  )

  t.test(
    'the user is read again at each refresh: a new role, and no account any more',
    { skip },
    async (t) => {
      const { business, apps, users, clientOf } = await start(t, await startStore(t))
      const { client } = clientOf(business.byKey)
      await client.logIn()
      await users.update(1, { role: 'clerk', name: 'Ada L.' })
      t.equal((await client.request('/orders/7', REMOVE)).status, 204, 'the token keeps its scope')
      await pass(t, apps, 30 * MINUTE)
      t.equal((await client.request('/orders/7', REMOVE)).status, 403)
      t.match(await (await client.request('/orders')).json(), { user: 'Ada L.' })

      await users.update(1, { isActive: false })
      await pass(t, apps, 30 * MINUTE)
      await t.rejects(client.request('/orders'), /the login failed: invalid_credentials/)
      t.equal(client.tokens(), undefined)
    },
  )

  t.test('while the database fails, the client keeps its tokens', { skip }, async (t) => {
    const { business, apps, users, clientOf } = await start(t, await startStore(t))
    const { client, logins } = clientOf(business.byKey)
    await client.logIn()
    await pass(t, apps, 30 * MINUTE)
    const { findById } = users
    users.findById = () => Promise.reject(new Error('the database is down'))
    await t.rejects(client.request('/orders'), /POST \/auth\/refresh: 503/)
    users.findById = findById
    t.equal((await client.request('/orders')).status, 200)
    t.equal(logins(), 1)
  })

  t.test('a server without Redis accepts a token after the logout, until it expires', { skip }, async (t) => {
    const { authUrl, apps, clientOf } = await start(t, await startStore(t))
    const server = await createBusinessServer({
      store: 'none',
      keys: { jwks: `${authUrl}/.well-known/jwks.json` },
    })
    t.teardown(() => server.close())
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    const { client } = clientOf(url)
    t.equal((await client.request('/orders')).status, 200)
    const { access_token: token } = client.tokens()!
    await client.logOut()
    t.equal((await read(url, token)).status, 200)
    await pass(t, apps, 30 * MINUTE - 10 * SECOND)
    t.equal((await read(url, token)).status, 200)
    await pass(t, apps, 10 * SECOND)
    t.match(await read(url, token), { status: 401, code: 'token_expired' })
  })
}

/** Starts the servers. `clientOf` gives a client of one business server, which logs in as ada. */
export async function start(t: Test, store: string) {
  const users = await createUsers()
  const port = await freePort()
  const apps = await createServer({ store, port, users })
  const urls: string[] = []
  for (const [index, app] of apps.entries()) {
    t.teardown(() => app.close())
    urls.push(await app.listen({ host: '127.0.0.1', port: index === 0 ? port : 0 }))
  }
  await Promise.all(apps.map(untilReady))
  const [authUrl, byKey, byUrl] = urls as [string, string, string]
  const clientOf = (apiUrl: string) => {
    let logins = 0
    const askForPassword = async () => {
      logins += 1
      return ADA
    }
    return { client: createClient({ authUrl, apiUrl, askForPassword }), logins: () => logins }
  }
  return { apps, users, authUrl, business: { byKey, byUrl }, clientOf }
}

/** Reads the orders with a token. */
export async function read(url: string, token: string) {
  const response = await fetch(`${url}/orders`, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, code: ((await response.json()) as { code?: string }).code }
}

async function pass(t: Test, apps: readonly FastifyInstance[], milliseconds: number): Promise<void> {
  await moveTime(t, milliseconds)
  await Promise.all(apps.map(untilReady))
}
