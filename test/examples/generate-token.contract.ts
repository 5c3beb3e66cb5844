/** What clients of `examples/schemes/generate-token` see, with each store. */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Algorithm } from '../../src/token/algorithms.js'
import { decode } from '../support/access-tokens.js'
import { home } from '../support/gateway-process.js'
import { DAY, HOUR, MINUTE, moveTime, untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

interface Device {
  readonly tokens: { readonly access_token: string; readonly refresh_token: string }
  login(email: string, password: string): Promise<Answer>
  get(path: string): Promise<Answer>
  refresh(): Promise<Answer>
}

interface Client {
  createClient(api: string, kind: string): Device
}

const ADA = ['ada@example.com', 'demo-ada-1843'] as const
const BOB = ['bob@example.com', 'demo-bob-1066'] as const
const ME = { id: 7, name: 'Ada', email: 'ada@example.com' }

export async function startGenerateToken(t: Test, store: string, algorithm?: Algorithm) {
  const keys = { dir: join(await home(t), 'keys'), ...(algorithm && { algorithm }) }
  const example = await startExample<Client>(t, 'generate-token', { store, keys })
  const [app, url] = [example.apps[0]!, example.urls[0]!]
  return { app, open: (kind: string) => example.client.createClient(url, kind) }
}

export function generateTokenContract(t: Test, store: () => Promise<string>, options: object = {}): void {
  t.test(
    'a login returns the four fields of generateToken, and a numeric sub as text',
    options,
    async (t) => {
      const { open } = await startGenerateToken(t, await store())
      const phone = open('ios')
      const { status, body } = await phone.login(...ADA)
      t.equal(status, 200)
      t.strictSame(Object.keys(body), ['token_type', 'expires_in', 'access_token', 'refresh_token'])
      t.match(body, { token_type: 'Bearer', expires_in: 3600 })
      const claims = decode(phone.tokens.access_token.split('.')[1])
      t.strictSame(claims['sub'], '7')
      t.match(claims, { name: 'Ada', email: 'ada@example.com' })
      t.strictSame(await phone.get('/me'), { status: 200, body: ME })

      t.strictSame(await phone.login('ada@example.com', 'wrong'), {
        status: 401,
        body: { error: 'invalid_credentials' },
      })
      t.equal((await open('fridge').login(...ADA)).status, 400, 'a kind of client that doesn’t exist')
    },
  )

  t.test('a login on a second client of a kind ends the first one, and no other', options, async (t) => {
    const { open } = await startGenerateToken(t, await store())
    const [oldPhone, newPhone, browser, others] = [open('ios'), open('ios'), open('web'), open('ios')]
    await oldPhone.login(...ADA)
    await browser.login(...ADA)
    await others.login(...BOB)
    await oldPhone.refresh()
    t.equal((await oldPhone.get('/me')).status, 200)

    t.equal((await newPhone.login(...ADA)).status, 200)
    const elsewhere = { status: 401, body: { code: 'signed_in_elsewhere' } }
    t.match(await oldPhone.get('/me'), elsewhere)
    t.match(await oldPhone.refresh(), elsewhere)
    t.match(await oldPhone.get('/me'), elsewhere, 'and it remains so')
    for (const [name, device] of Object.entries({ newPhone, browser, others })) {
      t.equal((await device.get('/me')).status, 200, name)
      t.equal((await device.refresh()).status, 200, name)
    }
    t.equal((await oldPhone.login(...ADA)).status, 200)
    t.match(await newPhone.get('/me'), elsewhere, 'the login that came last wins')
  })

  t.test('of many simultaneous logins on one kind of client, one remains', options, async (t) => {
    const { app, open } = await startGenerateToken(t, await store())
    const phones = Array.from({ length: 8 }, () => open('ios'))
    const logins = await Promise.all(phones.map((phone) => phone.login(...ADA)))
    const successful = phones.filter((_, i) => logins[i]!.status === 200)
    const answers = await Promise.all(successful.map((phone) => phone.get('/me')))
    t.strictSame(answers.filter(({ status }) => status === 200).length, 1)
    for (const { status, body } of [...logins, ...answers])
      if (status !== 200) t.match(body, { code: 'signed_in_elsewhere' })
    t.equal((await app.portcullis.sessions.list(7)).length, 1)
  })

  t.test('an access token lives 1 hour, a session 7 days without a refresh', options, async (t) => {
    const { app, open } = await startGenerateToken(t, await store())
    const phone = open('ios')
    await phone.login(...ADA)
    const first = phone.tokens

    await moveTime(t, 1 * HOUR - 1 * MINUTE)
    await untilReady(app)
    t.equal((await phone.get('/me')).status, 200)
    t.equal(phone.tokens.access_token, first.access_token, 'no refresh was needed')
    await moveTime(t, 1 * MINUTE)
    await untilReady(app)
    t.strictSame(
      await phone.get('/me'),
      { status: 200, body: ME },
      'the client refreshes, and repeats the request',
    )
    t.not(phone.tokens.access_token, first.access_token)
    t.not(phone.tokens.refresh_token, first.refresh_token)

    await moveTime(t, 7 * DAY - 1 * MINUTE)
    await untilReady(app)
    t.equal((await phone.get('/me')).status, 200)
    await moveTime(t, 7 * DAY)
    await untilReady(app)
    t.match(await phone.get('/me'), { status: 401, body: { code: 'refresh_token_expired' } })
    t.equal((await phone.login(...ADA)).status, 200)
  })
}
