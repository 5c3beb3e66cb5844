/** What clients of `examples/schemes/presence` see, with each store. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { home } from '../support/gateway-process.js'
import { DAY, HOUR, MINUTE, moveTime, untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

interface Shopper {
  readonly tokens: { readonly access_token: string; readonly session_id: string }
  login(username: string, password: string): Promise<Answer>
  refresh(): Promise<Answer>
  orders(): Promise<Answer>
  logout(): Promise<Answer>
}

interface Client {
  createClient(api: string): Shopper
}

export const ENDED = { status: 401, body: { code: 'session_ended' } }

/** @param directory The folder of the key. Instances that share it accept each other's tokens. */
export async function startPresence(t: Test, store: string, directory?: string) {
  const keys = { dir: join(directory ?? (await home(t)), 'keys') }
  const example = await startExample<Client>(t, 'presence', { store, keys })
  const [app, url] = [example.apps[0]!, example.urls[0]!]
  const open = () => example.client.createClient(url)
  const logIn = async (username = 'ada', password = 'demo-ada-1843') => {
    const shopper = open()
    t.match(await shopper.login(username, password), { status: 200, body: { expires_in: 3600 } })
    return shopper
  }
  return { app, url, open, logIn }
}

export function presenceContract(t: Test, store: () => Promise<string>, options: object = {}): void {
  t.test('a session is good until its logout', options, async (t) => {
    const { open, logIn } = await startPresence(t, await store())
    t.match(await open().orders(), { status: 401, body: { code: 'credentials_missing' } })
    t.match(await open().login('ada', 'wrong'), { status: 401, body: { code: 'invalid_credentials' } })
    const [one, other] = [await logIn(), await logIn()]
    t.strictSame(await one.orders(), { status: 200, body: { customer: 'ada', orders: [] } })
    t.equal((await one.refresh()).status, 200)
    t.equal((await one.orders()).status, 200)
    t.equal((await one.logout()).status, 204)
    t.match(await one.orders(), ENDED)
    t.match(await one.refresh(), ENDED)
    t.equal((await other.orders()).status, 200)
  })

  t.test('an access token lives 1 hour, a session 7 days without a refresh', options, async (t) => {
    const { app, logIn } = await startPresence(t, await store())
    const shopper = await logIn()
    await moveTime(t, 1 * HOUR - 1 * MINUTE)
    await untilReady(app)
    t.equal((await shopper.orders()).status, 200)
    await moveTime(t, 1 * MINUTE)
    await untilReady(app)
    t.match(await shopper.orders(), { status: 401, body: { code: 'token_expired' } })
    t.match(await shopper.refresh(), { status: 200, body: { refresh_expires_in: 7 * 86_400 } })
    await moveTime(t, 7 * DAY - 1 * MINUTE)
    await untilReady(app)
    t.equal((await shopper.refresh()).status, 200)
    t.equal((await shopper.orders()).status, 200)
    await moveTime(t, 7 * DAY + 1 * MINUTE)
    await untilReady(app)
    t.match(await shopper.refresh(), ENDED, 'its record is gone')
  })
}
