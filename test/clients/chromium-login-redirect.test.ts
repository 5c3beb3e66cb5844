/** A real browser is redirected to the login page, and its scripts aren't. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { findChromium, openPage } from '../support/browser.js'
import { authority } from '../support/certificates.js'
import { USERS, home, startGateway } from '../support/gateway-process.js'
import { startLegacyApp } from '../support/legacy-app.js'

const chromium = findChromium()
if (chromium === undefined) {
  t.comment('CHROMIUM IS MISSING: NO BROWSER IS TRIED. Install one: apt-get install chromium')
  t.plan(0, 'there is no Chromium here')
} else {
  await redirectThrough(chromium)
}

async function redirectThrough(command: string): Promise<void> {
  const directory = await home(t)
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  const certificate = authority('a test').issue('127.0.0.1')
  await Promise.all([writeFile(tls.cert, certificate.cert), writeFile(tls.key, certificate.key)])
  const { url: upstream } = await startLegacyApp(t)
  const { url } = await startGateway(
    t,
    {
      listen: { host: '127.0.0.1', port: 0, tls },
      login: { users: join(directory, 'users.htpasswd'), page: '/page' },
      routes: [
        { path: '/private', upstream, onAnonymous: 'redirect' },
        { path: '/', upstream, auth: 'none' },
      ],
    },
    directory,
  )
  const page = await openPage(t, command, certificate.cert)
  const run = (body: string) => page.evaluate(`(async () => { ${body} })()`)
  const post = (path: string, body: object) =>
    run(`const { status } = await fetch('${path}', { method: 'POST', body: '${JSON.stringify(body)}',
      headers: { 'content-type': 'application/json' } }); return status`)
  const isAtLogin = async (what: string) => {
    t.equal((await page.open(`${url}/private/page?a=b`)).status, 200)
    t.equal(await page.evaluate('location.href'), `${url}/page?next=%2Fprivate%2Fpage%3Fa%3Db`, what)
  }

  t.test('a page without a login is the login page, with the way back', async (t) => {
    await isAtLogin('no login')
    const script = `return (await fetch('/private/page', { headers: { accept: 'text/html' } })).status`
    t.equal(await run(script), 401, 'a script sees the 401')
    t.equal(await post('/auth/login', { username: 'ada', password: USERS.ada, cookies: true }), 200)
    await run(`location.replace(new URLSearchParams(location.search).get('next'))`)
    t.strictSame(await page.open(`${url}/private/page?a=b`), { status: 200, text: 'Hello ada' })
  })

  t.test('the cookies of a session that was ended elsewhere are deleted', async () => {
    // This session is the other device.
    const login = `const { access_token } = await (await fetch('/auth/login', { method: 'POST', credentials: 'omit',
      body: '${JSON.stringify({ username: 'ada', password: USERS.ada })}', headers: { 'content-type': 'application/json' } })).json()`
    const end = `const { status } = await fetch('/auth/logout', { method: 'POST', credentials: 'omit', body: '{"all":true}',
      headers: { 'content-type': 'application/json', authorization: 'Bearer ' + access_token } }); return status`
    t.equal(await run(`${login}; ${end}`), 204)
    t.match(await run(`return (await fetch('/auth/me')).json()`), { code: 'session_ended' })
    await isAtLogin('an ended session')
    t.match(await run(`return (await fetch('/auth/me')).json()`), { code: 'credentials_missing' })
  })
}
