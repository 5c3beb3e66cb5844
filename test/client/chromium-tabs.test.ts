/** The client in the tabs of a real browser. */
import { build } from 'esbuild'
import t from 'tap'
import type { Test } from 'tap'
import type { PluginOptions } from '../../src/config.js'
import { findChromium, openPage } from '../support/browser.js'
import type { Page } from '../support/browser.js'
import { CREDENTIALS, openClientServer } from '../support/client-server.js'
import { soon } from '../support/gateway-process.js'

const chromium = findChromium()
if (chromium === undefined) {
  t.comment(
    'CHROMIUM IS MISSING: THE CLIENT IS NOT TRIED IN A BROWSER. Install one: apt-get install chromium',
  )
  t.plan(0, 'there is no Chromium here')
} else {
  await inTabs(chromium)
}

/** Serves a page with the client, and opens it in two tabs. */
async function openTabs(
  t: Test,
  command: string,
  options: string,
  prelude = '',
  serverOptions: Partial<PluginOptions> = {},
) {
  const server = await openClientServer(t, serverOptions)
  const { outputFiles } = await build({
    stdin: { contents: `export * from 'portcullis/client'`, resolveDir: process.cwd() },
    bundle: true,
    format: 'esm',
    write: false,
  })
  const script = `${prelude}
    import { createClient } from '/client.js'
    globalThis.reasons = []
    globalThis.client = createClient({ ...${options}, onSignedOut: (code) => reasons.push(code) })`
  server.hooks.set('/client.js', (reply) => reply.type('text/javascript').send(outputFiles[0]!.text))
  server.hooks.set('/', (reply) =>
    reply.type('text/html').send(`<script type="module">${script}</script>page`),
  )
  const first = await openPage(t, command)
  const second = await first.openTab()
  await Promise.all([first, second].map((page) => page.open(server.url)))
  return { server, first, second }
}

const LOGIN = `client.login({ username: 'alice', password: 'p' }).then(({ sid }) => sid)`
const SID = 'client.session()?.sid'
const statusOf = (page: Page, request = `'/me'`) =>
  page.evaluate(`client.fetch(${request}).then((r) => r.status)`)
const untilSidIs = (page: Page, sid: unknown) =>
  soon(`the session is ${String(sid)}`, async () => (await page.evaluate(SID)) === sid, 20_000)
/** Lets the stored token have expired, as both tabs see it. */
const AGE = `for (const key of Object.keys(localStorage)) {
  const stored = JSON.parse(localStorage[key])
  localStorage[key] = JSON.stringify({ ...stored, at: stored.at - 900_000 })
}`
/** Requests of one tab, which all need the new token. */
const MANY = `Promise.all(Array.from({ length: 8 }, () => client.fetch('/me').then((r) => r.status))).then(String)`

async function inTabs(command: string): Promise<void> {
  t.test('cookies: no script sees a token, and a logout in one tab signs out the other', async (t) => {
    const { server, first, second } = await openTabs(t, command, `{ storage: 'cookie' }`)
    t.equal(await statusOf(first), 401)
    const sid = await first.evaluate(LOGIN)
    t.equal(await first.evaluate(SID), sid)
    await untilSidIs(second, sid)
    t.same([await statusOf(first), await statusOf(second)], [200, 200])
    t.equal(await first.evaluate('document.cookie'), '')
    t.notMatch(await first.evaluate('JSON.stringify(localStorage)'), /eyJ|refresh_token/)
    t.equal(await first.evaluate('client.token()'), undefined)

    await first.evaluate(AGE)
    t.same(
      await Promise.all([first.evaluate(MANY), second.evaluate(MANY)]),
      Array(2).fill(Array(8).fill(200).join()),
    )
    t.equal(server.count('/auth/refresh'), 1, 'one refresh of both tabs')

    await first.evaluate('client.logout()')
    await untilSidIs(second, undefined)
    t.equal(await statusOf(second), 401)
    t.same(await Promise.all([first, second].map((page) => page.evaluate('reasons.join()'))), [
      '',
      'session_ended',
    ])
  })

  t.test('localStorage: tabs share the session over reloads', async (t) => {
    const { server, first, second } = await openTabs(t, command, `{ storage: 'local' }`)
    const sid = await first.evaluate(LOGIN)
    await untilSidIs(second, sid)
    await second.open(server.url)
    t.equal(await second.evaluate(SID), sid, 'known at once')
    t.equal(await statusOf(second), 200)
    await first.evaluate('client.logout()')
    await untilSidIs(second, undefined)
  })

  t.test('localStorage without Web Locks: one refresh of both tabs', async (t) => {
    const prelude = `Object.defineProperty(navigator, 'locks', { value: undefined })`
    const { server, first, second } = await openTabs(t, command, `{ storage: 'local' }`, prelude)
    const sid = await first.evaluate(LOGIN)
    await untilSidIs(second, sid)
    await first.evaluate(AGE)
    t.same(
      await Promise.all([first.evaluate(MANY), second.evaluate(MANY)]),
      Array(2).fill(Array(8).fill(200).join()),
    )
    t.equal(server.count('/auth/refresh'), 1)
  })

  t.test('memory: each tab has a session, and a logout in one ends both', async (t) => {
    const { first, second } = await openTabs(t, command, '{}')
    t.not(await first.evaluate(LOGIN), await second.evaluate(LOGIN))
    const token = await second.evaluate('client.token()')
    await first.evaluate('client.logout()')
    await untilSidIs(second, undefined)
    t.equal(await second.evaluate('reasons.join()'), 'session_ended')
    const old = `fetch('/me', { headers: { authorization: 'Bearer ${String(token)}' } }).then((r) => r.status)`
    t.equal(await second.evaluate(old), 401, 'on the server, too')
  })

  for (const scheme of ['dual', 'single'] as const) {
    t.test(`cookies of a login by another page, ${scheme} scheme`, async (t) => {
      const { first } = await openTabs(t, command, `{ storage: 'cookie' }`, '', {
        tokens: { scheme, access: '3s' },
      })
      const post = (route: string, body: object) =>
        first.evaluate(`fetch('/auth/${route}', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: ${JSON.stringify(JSON.stringify(body))},
        }).then((r) => r.status)`)
      t.equal(await post('login', { ...CREDENTIALS, cookies: true }), 200)
      t.equal(await statusOf(first), 200)
      t.equal(await first.evaluate(SID), undefined)
      const isExpired = async () => (await first.evaluate(`fetch('/me').then((r) => r.status)`)) === 401
      await soon('the token has expired', isExpired, 30_000)
      t.equal(await statusOf(first), 200)
      t.ok(await first.evaluate(SID), 'known by the refresh')

      t.equal(await post('logout', {}), 204)
      t.equal(await statusOf(first), 401, 'the cookies are gone')
      await untilSidIs(first, undefined)
      t.not(await first.evaluate('reasons.length'), 0)
    })
  }
}
