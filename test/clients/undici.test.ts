import t from 'tap'
import { Agent, Client, FormData, fetch, request, setGlobalDispatcher } from 'undici'
import { logIn, logInByCookies } from '../support/gateway-process.js'
import { SAME, comparable, startFront } from '../support/front.js'
import { TEXT, sha256 } from '../support/legacy-app.js'
import type { Echo } from '../support/legacy-app.js'
import { FILE } from '../support/legacy-file.js'

// The default would be the Agent of Node's own undici, which has another version.
setGlobalDispatcher(new Agent())
const { app, gateway } = await startFront(t)
const { url } = gateway

const echoOf = async (answer: { json(): Promise<unknown> }) => (await answer.json()) as Echo

t.test('request: responses equal those without the gateway', async (t) => {
  const view = async (base: string, [method, path, headers = {}, body]: (typeof SAME)[number]) => {
    const options = { method: method as 'GET', headers, body: body ?? null, responseHeaders: 'raw' as const }
    const answer = await request(`${base}${path}`, options)
    const bytes = new Uint8Array(await answer.body.arrayBuffer())
    // `raw` gives names and values in turn, whatever the type says.
    const headersOf = comparable(answer.headers as unknown as string[])
    return { status: answer.statusCode, headers: headersOf, trailers: answer.trailers, body: sha256(bytes) }
  }
  for (const one of SAME) t.strictSame(await view(url, one), await view(app.url, one), one.join(' '))
})

t.test('fetch follows redirects, relative and absolute, and keeps or changes the method', async (t) => {
  for (const [path, status, target] of [
    ['/redirect/relative', 302, '/echo?from=relative'],
    ['/redirect/absolute', 301, '/echo?from=absolute'],
  ] as const) {
    const answer = await fetch(`${url}${path}`)
    t.match(answer, { redirected: true, url: `${url}${target}` }, path)
    t.match(await echoOf(answer), { target })
    t.equal((await fetch(`${url}${path}`, { redirect: 'manual' })).status, status)
  }
  const post = (path: string) => fetch(`${url}${path}`, { method: 'POST', body: 'kept' })
  t.match(await echoOf(await post('/redirect/same-method')), { method: 'POST', sha256: sha256('kept') })
  t.match(await echoOf(await post('/redirect/see-other')), { method: 'GET', length: 0 })
})

t.test('fetch decodes what the upstream has compressed', async (t) => {
  for (const encoding of ['gzip', 'br', 'deflate']) {
    const answer = await fetch(`${url}/compressed/${encoding}`)
    t.equal(answer.headers.get('content-encoding'), encoding)
    t.equal(await answer.text(), TEXT)
  }
})

t.test('two Set-Cookie headers stay two, in order; a Cookie is returned unchanged', async (t) => {
  const set = (await fetch(`${url}/cookies`)).headers.getSetCookie()
  t.strictSame(set, ['first=1; Path=/; HttpOnly', 'second="two; 2"; Expires=Fri, 01 Jan 2100 00:00:00 GMT'])
  const cookie = 'first=1; second="two"; $odd=a=b;c'
  t.equal((await echoOf(await fetch(`${url}/echo`, { headers: { cookie } }))).cookie, cookie)
})

t.test('our own cookies reach no upstream, others do', async (t) => {
  const { access, refresh } = await logInByCookies(url)
  t.ok(access && refresh)
  const cookie = `first=1; access=${access}; second=2; refresh=${refresh}`
  for (const path of ['/echo', '/private/page']) {
    const answer = await fetch(`${url}${path}`, { headers: { cookie } })
    t.equal(answer.status, 200)
    if (path === '/echo') t.equal((await echoOf(answer)).cookie, 'first=1; second=2')
    else t.match(await answer.text(), 'Hello ada')
  }
})

t.test('a multipart form, and a stream of unknown length', async (t) => {
  const form = new FormData()
  form.append('name', 'Zoë')
  form.append('file', new Blob([FILE]), 'a b.bin')
  const sent = await echoOf(await fetch(`${url}/echo`, { method: 'POST', body: form }))
  t.match(sent.type, /^multipart\/form-data; boundary=/)
  t.ok(sent.length > FILE.length)

  async function* pieces() {
    for (let at = 0; at < FILE.length; at += 10_000) yield FILE.subarray(at, at + 10_000)
  }
  const options = { method: 'PUT', body: pieces(), duplex: 'half' } as const
  const streamed = await echoOf(await fetch(`${url}/echo`, options))
  t.match(streamed, { framing: 'chunked', length: FILE.length, sha256: sha256(FILE) })
})

t.test('pipelined requests are answered in order', async (t) => {
  const { access_token: token } = await logIn(url)
  const client = new Client(url, { pipelining: 10 })
  t.teardown(() => client.close())
  let connections = 0
  client.on('connect', () => (connections += 1))
  const statuses = Array.from({ length: 60 }, async (_, n) => {
    const path = n % 3 === 0 ? '/private/page' : n % 3 === 1 ? `/echo?n=${n}` : '/compressed/gzip'
    // Of the guarded ones every other has no token.
    const headers = n % 2 === 0 ? { authorization: `Bearer ${token}` } : {}
    const answer = await client.request({ method: 'GET', path, headers })
    const text = await answer.body.text()
    if (n % 3 === 1) t.equal((JSON.parse(text) as Echo).target, path)
    return answer.statusCode
  })
  t.strictSame(
    await Promise.all(statuses),
    statuses.map((_, n) => (n % 3 === 0 && n % 2 === 1 ? 401 : 200)),
  )
  t.equal(connections, 1)
})

t.test('a download that is aborted is aborted behind the gateway, too', async (t) => {
  const closed = new Promise<void>((resolve) => {
    app.server.once('request', (_request, response) => response.once('close', () => resolve()))
  })
  const controller = new AbortController()
  const answer = await fetch(`${url}/slow-end`, { signal: controller.signal })
  const reader = answer.body!.getReader()
  await reader.read()
  controller.abort()
  await t.rejects(reader.read(), { name: 'AbortError' })
  await closed
})
