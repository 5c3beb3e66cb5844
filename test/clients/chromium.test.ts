import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { authority } from '../support/certificates.js'
import { USERS, home } from '../support/gateway-process.js'
import { findChromium, openPage } from '../support/browser.js'
import { startFront } from '../support/front.js'
import { TEXT, sha256 } from '../support/legacy-app.js'
import { FILE } from '../support/legacy-file.js'

const chromium = findChromium()
if (chromium === undefined) {
  t.comment('CHROMIUM IS MISSING: NO BROWSER IS TRIED. Install one: apt-get install chromium')
  t.plan(0, 'there is no Chromium here')
} else {
  await through(chromium)
}

/** Everything in one browser, with one profile, from the first page to the logout. */
async function through(command: string): Promise<void> {
  const directory = await home(t)
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  const certificate = authority('a test').issue('127.0.0.1')
  await Promise.all([writeFile(tls.cert, certificate.cert), writeFile(tls.key, certificate.key)])
  const { app, gateway } = await startFront(
    t,
    { listen: { host: '127.0.0.1', port: 0, tls }, cookies: { secure: true } },
    directory,
  )
  const { url } = gateway
  const sockets = new WebSocketServer({ server: app.server, path: '/private/socket' })
  sockets.on('connection', (socket, { headers }) => {
    socket.on('message', (data) => socket.send(`${headers['x-forwarded-user']}: ${String(data)}`))
  })
  const page = await openPage(t, command, certificate.cert)

  /** A function of the page, with what it awaits; given as text, as it runs in the browser. */
  const run = (body: string) => page.evaluate(`(async () => { ${body} })()`)
  const post = (path: string, body: unknown) =>
    run(`const answer = await fetch('${path}', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(JSON.stringify(body))},
  }); return answer.status`)

  t.test('a page loads, and guarded content is not shown', async (t) => {
    t.match(await page.open(`${url}/private/page`), { status: 401 })
    t.strictSame(await page.open(`${url}/page`), { status: 200, text: 'Zoë’s blog' })
  })

  t.test('login by cookies from a page, and guarded pages', async (t) => {
    t.equal(await post('/auth/login', { username: 'ada', password: 'wrong', cookies: true }), 401)
    t.equal(await post('/auth/login', { username: 'ada', password: USERS.ada, cookies: true }), 200)
    t.equal(await page.evaluate('document.cookie'), '', 'no script sees the tokens')
    t.strictSame(await page.open(`${url}/private/page`), { status: 200, text: 'Hello ada' })
    t.equal(await post('/auth/refresh', {}), 200)
    t.strictSame(await page.open(`${url}/private/page`), { status: 200, text: 'Hello ada' })
  })

  t.test('the legacy app’s own cookies are kept beside ours', async (t) => {
    await page.open(`${url}/cookies`)
    t.match(await page.evaluate('document.cookie'), 'second="two', 'the other is HttpOnly')
    const { cookie } = (await run(`return (await fetch('/echo')).json()`)) as { cookie: string }
    t.match(cookie, /^first=1; second="two"?$/)
  })

  t.test('redirects, compression, caching, downloads', async (t) => {
    const follow = (path: string) =>
      run(`const { url, redirected, status } = await fetch('${path}'); return { url, redirected, status }`)
    const target = `${url}/echo?from=relative`
    t.strictSame(await follow('/redirect/relative'), { url: target, redirected: true, status: 200 })
    for (const encoding of ['gzip', 'br', 'deflate']) {
      t.equal(await run(`return (await fetch('/compressed/${encoding}')).text()`), TEXT, encoding)
    }
    const digest = `[...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))]
    .map((byte) => byte.toString(16).padStart(2, '0')).join('')`
    const download = (options: string) =>
      run(`const answer = await fetch('/file', ${options}); const bytes = await answer.arrayBuffer()
      return [answer.status, bytes.byteLength, ${digest}]`)
    t.strictSame(await download(`{ cache: 'reload' }`), [200, FILE.length, sha256(FILE)])
    const part = FILE.subarray(100, 200)
    const range = `{ cache: 'no-store', headers: { range: 'bytes=100-199' } }`
    t.strictSame(await download(range), [206, 100, sha256(part)])
    let revalidations = 0
    app.server.prependListener('request', ({ headers }) => {
      if (headers['if-none-match'] === '"v1-7"') revalidations += 1
    })
    t.strictSame(await download(`{ cache: 'no-cache' }`), [200, FILE.length, sha256(FILE)])
    t.equal(revalidations, 1, 'answered 304, and taken from the cache')
  })

  t.test('a form with a file is uploaded', async (t) => {
    const said = (await run(`const form = new FormData()
    form.append('file', new Blob([new Uint8Array(300_000)]), 'a.bin')
    return (await fetch('/echo', { method: 'POST', body: form })).json()`)) as Record<string, unknown>
    t.match(said, { method: 'POST', type: /^multipart\/form-data; boundary=/ })
    t.ok(Number(said['length']) > 300_000)
  })

  t.test('server-sent events and a WebSocket, until the logout', async (t) => {
    const live = await run(`
    const events = window.events = new EventSource('/private/events')
    const socket = window.socket = new WebSocket('wss://' + location.host + '/private/socket')
    // Both are listened to at once: either may be the first.
    const echoed = new Promise((resolve, reject) => {
      socket.onopen = () => socket.send('hello')
      socket.onmessage = ({ data }) => resolve(data)
      socket.onclose = ({ code }) => reject(new Error('closed ' + code))
    })
    const got = []
    await new Promise((resolve, reject) => {
      events.onmessage = ({ data }) => { got.push(data); if (got.length === 3) resolve() }
      events.onerror = () => reject(new Error('events'))
    })
    got.push(await echoed)
    return got`)
    t.strictSame(live, ['event 1', 'event 2', 'event 3', 'ada: hello'])
    // The stream is connected anew by itself, and is then refused: 2 is CLOSED; of a WebSocket that is 3.
    const ended = run(`
    const { socket, events } = window
    const states = async () => {
      for (let n = 0; n < 400 && (socket.readyState !== 3 || events.readyState !== 2); n += 1)
        await new Promise((resolve) => setTimeout(resolve, 50))
      return [socket.readyState, events.readyState]
    }
    return states()`)
    t.equal(await post('/auth/logout', {}), 204)
    t.strictSame(await ended, [3, 2], 'closed, and refused')
    t.match(await page.open(`${url}/private/page`), {
      status: 401,
      text: /session_ended|credentials_missing/,
    })
    t.match(await page.open(`${url}/echo`), { text: /"cookie":"first=1; second=/ }, 'only ours are gone')
  })
}
