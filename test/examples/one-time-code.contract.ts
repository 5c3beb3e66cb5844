/** What the page and the site of `examples/schemes/one-time-code` see, with each store. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { home } from '../support/gateway-process.js'
import { DAY, HOUR, MINUTE, moveTime, untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'

interface Answer {
  readonly status: number
  readonly body: Record<string, string>
}

interface Page {
  login(username: string, password: string): Promise<Answer>
  allow(request: object): Promise<Answer>
  profile(): Promise<Answer>
  logout(options?: object): Promise<Answer>
}

interface Site {
  readonly request: { readonly client_id: string; readonly code_challenge: string }
  exchange(code: string | undefined): Promise<Answer>
  refresh(): Promise<Answer>
  profile(): Promise<Answer>
}

interface Client {
  createPage(server: string): Page
  createSite(server: string, clientId: string): Site
}

const NO_GRANT = { status: 400, body: { error: 'invalid_grant' } }
const ENDED = { status: 401, body: { code: 'session_ended' } }
const LIVES = { token_type: 'Bearer', expires_in: 7_200, refresh_expires_in: 2_592_000 }

async function start(t: Test, store: string) {
  const keys = { dir: join(await home(t), 'keys') }
  const { apps, urls, client } = await startExample<Client>(t, 'one-time-code', { store, keys })
  /** A page on which the user is signed in. */
  const openPage = async () => {
    const page = client.createPage(urls[0]!)
    t.equal((await page.login('ada', 'demo-ada-1843')).status, 200)
    return page
  }
  const page = await openPage()
  return {
    page,
    openPage,
    openSite: (name = 'photos') => client.createSite(urls[0]!, name),
    /** Moves the time, and waits until the server can decide about tokens. */
    async move(milliseconds: number) {
      await moveTime(t, milliseconds)
      await untilReady(apps[0]!)
    },
    /** A site that has exchanged a code of the page. */
    async allowedSite(name = 'photos') {
      const site = client.createSite(urls[0]!, name)
      const { body } = await page.allow(site.request)
      t.match(await site.exchange(body['code']), { status: 200, body: LIVES })
      return { site, code: body['code'] }
    },
  }
}

export function oneTimeCodeContract(t: Test, store: () => Promise<string>, options: object = {}): void {
  t.test('a code of 10 minutes becomes tokens of 2 hours and 30 days', options, async (t) => {
    const { page, openSite } = await start(t, await store())
    const site = openSite()
    const { status, body } = await page.allow(site.request)
    t.equal(status, 201)
    t.match(body, { code: /^[\w-]{43}$/, expires_in: 600 })
    t.match(await site.exchange(body['code']), { status: 200, body: LIVES })
    t.strictSame(await site.profile(), { status: 200, body: { user: 'ada', client: 'photos' } })
    t.match(await site.refresh(), { status: 200, body: LIVES })
    t.strictSame(await site.profile(), { status: 200, body: { user: 'ada', client: 'photos' } })
    t.match((await page.profile()).body, { user: 'ada' }, 'the session of the user is another one')
  })

  t.test('the second use of a code ends what the first one began', options, async (t) => {
    const { page, allowedSite } = await start(t, await store())
    const { site, code } = await allowedSite()
    const other = await allowedSite('printer')
    t.match(await site.exchange(code), NO_GRANT)
    t.match(await site.profile(), ENDED)
    t.match(await site.refresh(), NO_GRANT)
    t.match(await site.exchange(code), NO_GRANT)
    t.equal((await page.profile()).status, 200)
    t.equal((await other.site.profile()).status, 200, 'another site keeps its session')
  })

  t.test(
    'a code that was stolen on its way is of no use, and remains good for its site',
    options,
    async (t) => {
      const { page, openSite } = await start(t, await store())
      const [site, thief] = [openSite(), openSite()]
      const { body } = await page.allow(site.request)
      t.match(await thief.exchange(body['code']), NO_GRANT, 'the verifier is missing')
      t.match(await openSite('thief').exchange(body['code']), NO_GRANT, 'it is another client')
      t.match(await site.exchange(body['code']), { status: 200 })
      t.match(await thief.exchange(body['code']), NO_GRANT)
      t.equal((await site.profile()).status, 200, 'the thief ends nothing, either')
    },
  )

  t.test('a code lives for 10 minutes', options, async (t) => {
    const { page, openSite, move } = await start(t, await store())
    const [early, late] = [openSite(), openSite()]
    const codes = [await page.allow(early.request), await page.allow(late.request)]
    await move(10 * MINUTE - 1 * MINUTE)
    t.match(await early.exchange(codes[0]!.body['code']), { status: 200, body: LIVES })
    await move(1 * MINUTE)
    t.match(await late.exchange(codes[1]!.body['code']), NO_GRANT)
    t.equal((await early.profile()).status, 200)
  })

  t.test(
    'tokens of a code live for 2 hours, the session for 30 days without a refresh',
    options,
    async (t) => {
      const { page, allowedSite, move } = await start(t, await store())
      const { site } = await allowedSite()
      await move(15 * MINUTE)
      t.match(
        await page.profile(),
        { status: 401, body: { code: 'token_expired' } },
        'the user’s own token is shorter',
      )
      await move(105 * MINUTE - 1 * MINUTE)
      t.equal((await site.profile()).status, 200)
      await move(1 * MINUTE)
      t.match(await site.profile(), { status: 401, body: { code: 'token_expired' } })
      t.match(await site.refresh(), { status: 200, body: LIVES })
      await move(30 * DAY - 1 * MINUTE)
      t.match(await site.refresh(), { status: 200, body: LIVES })
      await move(2 * HOUR - 1 * MINUTE)
      t.equal((await site.profile()).status, 200)
      await move(30 * DAY)
      t.match(await site.refresh(), NO_GRANT)
    },
  )

  t.test('a logout of the user ends the sites that she has allowed, and unused codes', options, async (t) => {
    const { page, openPage, openSite, allowedSite } = await start(t, await store())
    const { site } = await allowedSite()
    const waiting = openSite()
    const { body } = await page.allow(waiting.request)
    const phone = await openPage()
    const printer = openSite('printer')
    await printer.exchange((await phone.allow(printer.request)).body['code'])

    t.equal((await page.logout()).status, 204)
    t.match(await page.profile(), ENDED)
    t.match(await page.allow(waiting.request), ENDED, 'no more codes')
    t.match(await waiting.exchange(body['code']), NO_GRANT)
    t.match(await site.profile(), ENDED)
    t.match(await site.refresh(), NO_GRANT)
    t.equal((await printer.profile()).status, 200, 'what she allowed on her phone')

    t.equal((await phone.logout({ all: true })).status, 204)
    t.match(await printer.profile(), ENDED)
    t.match(await printer.refresh(), NO_GRANT)
  })
}
