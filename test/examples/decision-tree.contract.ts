/** The example `decision-tree`: the same table of responses from the plugin and from the gateway. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { home, soon, startGateway } from '../support/gateway-process.js'
import { untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'

interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

interface Client {
  open(path: string): Promise<Response>
  logIn(username: string, password: string, more?: object): Promise<Response>
  logOut(): Promise<Response>
}

interface Exports {
  createClient(url: string, headers?: object): Client
  readTable(url: string): Promise<unknown>
}

const TO_LOGIN = '302 /login?next=%2Freports'
const row = (reports: string, orders: string, refunds: string, audit: string) => ({
  '/login': '200',
  '/reports': reports,
  '/orders': orders,
  '/refunds': refunds,
  '/audit': audit,
  '/unknown': '404',
})
const TABLE = {
  'anonymous browser': row(TO_LOGIN, '401', '401', '404'),
  'anonymous script': row('401', '401', '401', '404'),
  'script after its logout': row('401', '401', '401', '404'),
  'browser of bob': row('200', '200', '403', '404'),
  'script of bob': row('200', '200', '403', '404'),
  'browser of ada': row('200', '200', '200', '200'),
  'script of ada': row('200', '200', '200', '200'),
}
const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }
const BOB = ['bob', 'drawbridge-1066', { cookies: true }] as const

/** @param startStore Gives the `store` of a server. */
export function decisionTreeContract(t: Test, startStore: (t: Test) => Promise<string>): void {
  for (const gate of ['plugin', 'gateway'] as const) {
    t.test(`the ${gate} responds 200, 302, 401, 403 and 404`, async (t) => {
      const { url, client } = await start(t, gate, await startStore(t))
      t.strictSame(await client.readTable(url), TABLE)
    })

    t.test(`the ${gate} doesn’t reveal a hidden page`, async (t) => {
      const { url, client } = await start(t, gate, await startStore(t))
      const bob = client.createClient(url, NAVIGATION)
      t.equal((await bob.logIn(...BOB)).status, 200)
      for (const caller of [client.createClient(url), client.createClient(url, NAVIGATION), bob])
        t.strictSame(comparable(await caller.open('/audit')), comparable(await caller.open('/tidua')))
    })

    t.test(`the ${gate} leads a browser by way of the login page to its page`, async (t) => {
      const { url, client } = await start(t, gate, await startStore(t))
      const browser = client.createClient(url, NAVIGATION)
      const { location } = (await browser.open('/reports?month=11')).headers
      t.equal(location, '/login?next=%2Freports%3Fmonth%3D11')
      const page = (await browser.open(location!)).text
      t.equal((await browser.logIn(...BOB)).status, 200)
      const next = await runLoginPage(page, `${url}${location}`)
      t.equal(next, `${url}/reports?month=11`)
      t.equal((await browser.open('/reports?month=11')).text, 'the reports, for bob')

      t.equal((await browser.logOut()).status, 204)
      t.equal((await browser.open('/reports')).status, 302)
    })

    t.test(`the ${gate} says in a 401 and a 403 what is missing`, async (t) => {
      const { url, client } = await start(t, gate, await startStore(t))
      const challenge = async (caller: Client) => (await caller.open('/refunds')).headers['www-authenticate']
      const browser = client.createClient(url)
      t.equal(await challenge(browser), 'Bearer realm="portcullis"')
      await browser.logIn(...BOB)
      t.equal(
        await challenge(browser),
        'Bearer realm="portcullis", error="insufficient_scope", scope="refunds"',
      )
    })
  }

  t.test('the login page opens no page of another origin', async (t) => {
    const { url, client } = await start(t, 'plugin', 'memory')
    const { text } = await client.createClient(url).open('/login')
    const opened = (next: string) => runLoginPage(text, `${url}/login?next=${encodeURIComponent(next)}`)
    for (const next of [
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      '/.//evil.example/..//\\evil.example',
      'http://127.0.0.1.evil.example/',
      'http://127.0.0.1.evil.example/',
      'javascript:alert(1)',
      `blob:${url}/x`,
    ])
      t.match(new URL(await opened(next), url), { origin: url }, next)
    t.equal(await runLoginPage(text, `${url}/login`), `${url}/reports`, 'without `next`')
  })
}

async function start(t: Test, gate: 'plugin' | 'gateway', store: string) {
  const directory = await home(t)
  const keys = { dir: join(directory, 'keys') }
  const { apps, urls, client } = await startExample<Exports>(t, 'decision-tree', { store, keys })
  await untilReady(apps[0]!)
  const [plugin, upstream] = urls as [string, string]
  const url = gate === 'plugin' ? plugin : await startExampleGateway(t, { directory, upstream, store })
  return { url, client }
}

/** The gateway of the example, with this upstream and store instead of those in its file. */
async function startExampleGateway(
  t: Test,
  { directory, upstream, store }: { directory: string; upstream: string; store: string },
): Promise<string> {
  const file = await readFile('examples/schemes/decision-tree/portcullis.yaml', 'utf8')
  const settings = parse(file.replaceAll('http://127.0.0.1:3001', upstream)) as object
  const listen = { host: '127.0.0.1', port: 0 }
  const own = { listen, store, log: { level: 'silent' } }
  const { url } = await startGateway(t, { ...settings, ...own }, directory)
  await soon('it is ready', async () => (await fetch(`${url}/readyz`)).ok)
  return url
}

/** Without what differs between any two requests. */
function comparable({ status, headers, text }: Response) {
  const body = text.replace(/\/audit|\/tidua/, '').replace(/"request_id":"[^"]*"/, '')
  return { status, headers: { ...headers, date: '' }, body }
}

/** Submits the form of the login page, after which the script opens a page. Returns the URL of that page. */
async function runLoginPage(page: string, url: string): Promise<string> {
  const [, script = ''] = /<script>([^]*)<\/script>/.exec(page)!
  const { href, origin, search } = new URL(url)
  let opened: string | undefined
  const form: { onsubmit?: (event: object) => Promise<void> } = {}
  runInNewContext(script, {
    URL,
    URLSearchParams,
    FormData: function FormData() {
      return new Map()
    },
    document: { querySelector: () => form },
    fetch: async () => ({ ok: true }),
    location: { href, origin, search, replace: (next: string) => (opened = next) },
  })
  await form.onsubmit!({ preventDefault: () => undefined })
  return new URL(opened!, url).href
}
