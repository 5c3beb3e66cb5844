/** The login page as a browser without JavaScript uses it. */
import t from 'tap'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startServer } from '../../src/server.js'
import { loadGatewaySettings } from '../../src/config.js'
import {
  USERS,
  call,
  cookiesOf,
  home,
  settingsFor,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

const pages = { title: 'Castle & Co' }
const html = { accept: 'text/html' }
const ada = { username: 'ada', password: USERS.ada, remember: 'true' }

const submit = (
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = { origin: url },
) => call(url, 'POST', '/login', { form, headers: { ...html, ...headers } })

t.test('the page has a form, and headers that keep other sites and caches out', async (t) => {
  const { url } = await startGateway(t, { pages })
  const { status, headers, text } = await call(url, 'GET', '/login', { headers: html })
  t.equal(status, 200)
  t.match(headers, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  })
  const policy = String(headers['content-security-policy'])
  t.match(policy, "default-src 'none'")
  t.match(policy, "frame-ancestors 'none'")
  t.notMatch(policy, /unsafe|data:|\*/)
  t.notMatch(text, /<script>|<style|\son\w+=|\sstyle=/, 'nothing inline')
  t.match(text, '<title>Log in · Castle &amp; Co</title>')
  t.match(text, /name="username"[^>]*autocomplete="username"/)
  t.match(text, /name="password"[^>]*autocomplete="current-password"/)
  t.notMatch(text, 'name="next"')
  t.notMatch(text, 'class="notice')
  t.equal((await call(url, 'HEAD', '/login')).status, 200)
  t.equal((await call(url, 'DELETE', '/login')).status, 405)
})

t.test('a login sets the cookies and returns to next', async (t) => {
  const { url } = await startGateway(t, { pages })
  const shown = await call(url, 'GET', '/login?next=%2Forders%3Fpage%3D2', { headers: html })
  t.match(shown.text, '<input type="hidden" name="next" value="/orders?page=2" />')
  t.match(shown.text, 'Log in to continue.')
  const { status, headers, setCookie } = await submit(url, { ...ada, next: '/orders?page=2' })
  t.equal(status, 303)
  t.equal(headers['location'], '/orders?page=2')
  t.equal(headers['cache-control'], 'no-store')
  const access = setCookie.find((line) => line.startsWith('__Host-access='))
  t.match(access, /; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
  t.equal((await call(url, 'GET', '/auth/me', { cookies: cookiesOf(setCookie) })).status, 200)
  const { remember: _, ...forgotten } = ada
  const session = await submit(url, forgotten)
  t.equal(session.headers['location'], '/account')
  t.notMatch(session.setCookie.join(), 'Max-Age', 'the cookies end with the browser')
})

t.test('next never leads to another origin or to the login page', async (t) => {
  const { url } = await startGateway(t, { pages })
  for (const next of [
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example',
    '\\\\evil.example',
    '/%5Cevil.example',
    '/a/..//evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    'evil',
    '/a\r\nSet-Cookie: a=b',
    '/login',
    '/login?next=/login',
    `/${'a'.repeat(9000)}`,
  ]) {
    const { status, headers, setCookie } = await submit(url, { ...ada, next })
    t.strictSame([status, headers['location']], [303, '/account'], JSON.stringify(next.slice(0, 40)))
    t.equal(setCookie.length, 2)
    const shown = await call(url, 'GET', `/login?next=${encodeURIComponent(next)}`, { headers: html })
    t.notMatch(shown.text, 'name="next"')
  }
  const twice = await call(url, 'GET', '/login?next=/a&next=/b', { headers: html })
  t.notMatch(twice.text, 'name="next"')
})

t.test('wrong credentials: the page says so, keeps the name, and escapes it', async (t) => {
  const { url } = await startGateway(t, { pages })
  const username = `"><script>alert(1)</script>`
  const { status, text, headers } = await submit(url, { username, password: 'x', next: '/a"b' })
  t.equal(status, 401)
  t.equal(headers['cache-control'], 'no-store')
  t.match(text, 'User name or password is wrong.')
  t.match(text, 'value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"')
  t.notMatch(text, '<script>alert')
  t.match(text, /id="password"[^>]*aria-invalid="true"/)
  t.notMatch(text, 'checked', 'the choice about the browser is kept')
  t.match((await submit(url, { username: 'ada', password: '' })).text, 'Enter your password.')
  const nameless = await submit(url, { password: 'x' })
  t.equal(nameless.status, 400)
  t.match(nameless.text, 'Enter your user name.')
})

t.test('a form of another site is refused without a look at the password', async (t) => {
  const { url } = await startGateway(t, { pages })
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, {}]) {
    const { status, text, setCookie } = await submit(url, ada, headers as Record<string, string>)
    t.equal(status, 403)
    t.match(text, 'This form was sent from another site.')
    t.notMatch(text, 'value="ada"')
    t.same(setCookie, [])
  }
  t.equal((await submit(url, ada, { 'sec-fetch-site': 'same-origin' })).status, 303)
})

t.test('beyond the limit the page says how long to wait', async (t) => {
  const perAccount = { failures: 1, successes: 10, per: '15m' }
  const { url } = await startGateway(t, { pages, rateLimit: { login: { perAccount } } })
  await submit(url, { ...ada, password: 'wrong' })
  const { status, headers, text } = await submit(url, ada)
  t.equal(status, 429)
  t.match(text, 'Too many failed attempts.')
  t.match(text, /You can try again in 1[45] min( \d+ s)?\./)
  t.match(text, `data-wait="${String(headers['retry-after'])}"`)
})

t.test('each error of the server has its own text, and a reference', async (t) => {
  const http = { url: 'http://127.0.0.1:9/login', subject: '/id' }
  const { url } = await startGateway(t, { pages, login: { http } })
  const { status, text } = await submit(url, ada)
  t.equal(status, 502)
  t.match(text, 'The password check is not responding.')
  t.match(text, /Reference [\da-f]{8}-\w+/)
})

t.test('too many devices: the page says what to do', async (t) => {
  const { url } = await startGateway(t, { pages, sessions: { perSubject: 1, onLimit: 'refuse' } })
  t.equal((await submit(url, ada)).status, 303)
  const { status, text } = await submit(url, ada)
  t.equal(status, 401)
  t.match(text, 'You are logged in on as many devices as are allowed.')
})

t.test('the page is in Chinese for browsers that prefer it, and the link keeps the query', async (t) => {
  const { url } = await startGateway(t, { pages })
  const chinese = { ...html, 'accept-language': 'zh-CN,zh;q=0.9' }
  const { text } = await call(url, 'GET', '/login?next=%2Fa&reason=logout', { headers: chinese })
  t.match(text, '<html lang="zh-CN">')
  t.match(text, '您已退出登录。')
  t.match(text, 'href="/login?next=%2Fa&amp;reason=logout&amp;lang=en"')
  const english = await call(url, 'GET', '/login?lang=en', { headers: chinese })
  t.match(english.text, 'action="/login?lang=en"', 'the form keeps the language')
  const wrong = await call(url, 'POST', '/login?lang=zh-CN', {
    form: { ...ada, password: 'x' },
    headers: { origin: url },
  })
  t.match(wrong.text, '用户名或密码不正确。')
})

t.test('a browser without a session is redirected to the page, which is never forwarded', async (t) => {
  const upstream = await startUpstream(t)
  const routes = [{ path: '/', upstream: upstream.url, onAnonymous: 'redirect' }]
  const { url } = await startGateway(t, { pages, routes })
  const { status, headers } = await call(url, 'GET', '/orders?page=2', { headers: html })
  t.strictSame([status, headers['location']], [302, '/login?next=%2Forders%3Fpage%3D2'])
  const cookies = cookiesOf((await submit(url, ada)).setCookie)
  for (const method of ['PUT', 'PROPFIND', 'OPTIONS'])
    t.match(
      String((await call(url, method, '/login', { cookies, headers: { origin: url } })).status),
      /^40[45]$/,
    )
  t.same(upstream.seen, [])
})

t.test('behind a proxy that ends TLS, the form of its https page is accepted', async (t) => {
  const { url } = await startGateway(t, {
    pages,
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
  })
  const forwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
    'x-forwarded-for': '192.0.2.1',
  }
  t.equal((await submit(url, ada, { ...forwarded, origin: 'https://shop.example' })).status, 303)
  t.equal((await submit(url, ada, { ...forwarded, origin: 'http://shop.example' })).status, 403)
})

t.test('with cookies.secure: false the login works over plain http', async (t) => {
  const { url } = await startGateway(t, { pages, cookies: { secure: false } })
  const { setCookie } = await submit(url, ada)
  t.strictSame(Object.keys(cookiesOf(setCookie)), ['access', 'refresh'])
})

t.test('an operator’s logo and stylesheet are loaded, and files have an ETag', async (t) => {
  const directory = await home(t)
  const [logo, stylesheet] = [join(directory, 'logo.svg'), join(directory, 'site.css')]
  await writeFile(logo, '<svg xmlns="http://www.w3.org/2000/svg"/>')
  await writeFile(stylesheet, ':root { --accent: #00f }')
  const { url } = await startGateway(t, { pages: { ...pages, logo, stylesheet } }, directory)
  const { text } = await call(url, 'GET', '/login')
  t.match(text, 'src="/auth/pages/logo"')
  t.ok(text.indexOf('/auth/pages/pages.css') < text.indexOf('/auth/pages/site.css'))
  const links = [...text.matchAll(/(?:href|src)="(\/auth\/pages\/[^"]+)"/g)].map(([, link]) => link!)
  t.equal(links.length >= 4, true)
  for (const link of links) {
    const { status, headers } = await call(url, 'GET', link)
    t.equal(status, 200, link)
    t.equal(headers['x-content-type-options'], 'nosniff')
    const known = { 'if-none-match': String(headers['etag']) }
    t.equal((await call(url, 'GET', link, { headers: known })).status, 304)
  }
  t.equal((await call(url, 'GET', '/auth/pages/package.json')).status, 404)
})

t.test('a logo that is missing or no image stops the start with the name of the setting', async (t) => {
  const directory = await home(t)
  for (const file of [
    { logo: '/nowhere/logo.png' },
    { logo: '/etc/hosts' },
    { stylesheet: '/nowhere/a.css' },
  ]) {
    const values = settingsFor(directory, { pages: file })
    const { settings } = loadGatewaySettings({ preset: { name: 'the test', values } })
    await t.rejects(startServer(settings), { message: new RegExp(`^pages.${Object.keys(file)[0]}: `) })
  }
})

t.test('without the setting there is no page', async (t) => {
  const { url } = await startGateway(t)
  t.equal((await call(url, 'GET', '/login')).status, 401, 'the route / covers it')
  t.equal((await call(url, 'GET', '/auth/pages/pages.css')).status, 404)
})
