/** The account page as a browser without JavaScript uses it. */
import t from 'tap'
import type { Test } from 'tap'
import {
  USERS,
  call,
  cookiesOf,
  expired,
  home,
  logIn,
  logInByCookies,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import type { Overrides } from '../support/gateway-process.js'

const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0'

/** A browser with cookies, which sends `Origin` with each form. */
async function openBrowser(t: Test, overrides: Overrides = {}) {
  const directory = await home(t)
  const { url } = await startGateway(t, { pages: {}, ...overrides }, directory)
  const logInHere = async () => {
    const headers = { origin: url, 'user-agent': FIREFOX }
    return cookiesOf(
      (await call(url, 'POST', '/login', { form: { username: 'ada', password: USERS.ada }, headers }))
        .setCookie,
    )
  }
  const get = (cookies: Record<string, string>, path = '/account', headers = {}) =>
    call(url, 'GET', path, { cookies, headers: { 'user-agent': FIREFOX, ...headers } })
  const post = (
    cookies: Record<string, string>,
    path: string,
    form: Record<string, string> = {},
    headers: Record<string, string> = { origin: url },
  ) => call(url, 'POST', path, { cookies, form, headers })
  const isAlive = async (token: string) => (await call(url, 'GET', '/auth/me', { token })).status === 200
  return { url, directory, logInHere, get, post, isAlive }
}

const rowsOf = (text: string) =>
  [...text.matchAll(/<li class="session" data-sid="([^"]+)">/g)].map(([, sid]) => sid)

t.test('the page lists the sessions, and says which is this one', async (t) => {
  const { url, logInHere, get } = await openBrowser(t)
  const cookies = await logInHere()
  const lonely = await get(cookies)
  t.equal(lonely.status, 200)
  t.match(lonely.text, 'You are not logged in anywhere else.')
  t.notMatch(lonely.text, 'End all other sessions')
  const other = await logIn(url)
  const { text, headers } = await get(cookies)
  t.match(headers, { 'cache-control': 'no-store', 'referrer-policy': 'same-origin' })
  t.match(text, 'Firefox on Windows')
  t.match(text, 'In use now from 127.0.0.1')
  t.match(text, 'Logged in as ada')
  t.match(text, /<time datetime="\d{4}-\d\d-\d\dT[\d:.]+Z"\s*>/)
  t.strictSame(rowsOf(text).length, 2)
  t.equal(rowsOf(text)[1], other.session_id, 'other sessions come second')
  t.equal([...text.matchAll(/action="\/account\/end"/g)].length, 1, 'this session has no button to end it')
  t.match(text, 'End the other session?')
  t.match((await get(cookies, '/account?lang=zh-CN')).text, '已登录的设备')
})

t.test('a form ends one session', async (t) => {
  const { url, logInHere, get, post, isAlive } = await openBrowser(t)
  const cookies = await logInHere()
  const [first, second] = [await logIn(url), await logIn(url)]
  const { status, headers } = await post(cookies, '/account/end?lang=en', { sid: first.session_id })
  t.strictSame([status, headers['location']], [303, '/account?lang=en'])
  t.notOk(await isAlive(first.access_token))
  t.ok(await isAlive(second.access_token))
  t.strictSame(rowsOf((await get(cookies)).text).slice(1), [second.session_id])
  const again = await post(cookies, '/account/end', { sid: first.session_id })
  t.equal(again.status, 303, 'it has ended already')
})

t.test('a form cannot end the session of somebody else', async (t) => {
  const { url, logInHere, post, isAlive } = await openBrowser(t)
  const bob = await logIn(url, 'bob')
  const cookies = await logInHere()
  for (const sid of [bob.session_id, '', '*', `${bob.session_id}\0`])
    t.equal((await post(cookies, '/account/end', { sid })).status, 303)
  await post(cookies, '/account/end-others')
  t.ok(await isAlive(bob.access_token))
})

t.test('a form ends all other sessions', async (t) => {
  const { url, logInHere, get, post, isAlive } = await openBrowser(t)
  const cookies = await logInHere()
  const others = [await logIn(url), await logIn(url)]
  const { status, headers } = await post(cookies, '/account/end-others')
  t.strictSame([status, headers['location']], [303, '/account?ended=2'])
  for (const { access_token } of others) t.notOk(await isAlive(access_token))
  t.match((await get(cookies, '/account?ended=2')).text, '2 sessions ended. You are logged in here only.')
  await logIn(url)
  t.notMatch((await get(cookies, '/account?ended=2')).text, '2 sessions ended', 'a link can’t claim it')
})

t.test('logout ends this session, also with an expired token, and deletes the cookies', async (t) => {
  const { url, directory, logInHere, get, post } = await openBrowser(t)
  const cookies = await logInHere()
  const old = { '__Host-access': await expired(directory, cookies['__Host-access']!) }
  const { status, headers, setCookie } = await post(old, '/account/logout')
  t.strictSame([status, headers['location']], [303, '/login?reason=logout'])
  t.match(setCookie.join(), /__Host-access=; Max-Age=0/)
  t.match((await call(url, 'GET', '/login?reason=logout')).text, 'You are logged out.')
  t.equal((await get(cookies)).status, 303, 'the session has ended')
  t.equal((await post({}, '/account/logout')).status, 303, 'without a session, too')
})

t.test('ending this session by its row is a logout', async (t) => {
  const { logInHere, get, post } = await openBrowser(t)
  const cookies = await logInHere()
  const [own] = rowsOf((await get(cookies)).text)
  const { headers } = await post(cookies, '/account/end', { sid: own! })
  t.equal(headers['location'], '/login?reason=logout')
})

t.test('without a session, the page leads to the login page and back', async (t) => {
  const { url, logInHere, get, post } = await openBrowser(t)
  const anonymous = await get({})
  t.strictSame([anonymous.status, anonymous.headers['location']], [303, '/login?next=%2Faccount'])
  const cookies = await logInHere()
  await call(url, 'POST', '/auth/logout', { token: (await logIn(url)).access_token, json: { all: true } })
  const ended = await get(cookies)
  t.equal(ended.headers['location'], '/login?next=%2Faccount&reason=ended')
  t.match(ended.setCookie.join(), /__Host-access=; Max-Age=0/)
  for (const path of ['end', 'end-others'])
    t.equal((await post(cookies, `/account/${path}`)).headers['location'], ended.headers['location'])
})

t.test('a session that a later login replaced says so', async (t) => {
  const { url, logInHere, get } = await openBrowser(t, { sessions: { perSubject: 1 } })
  const cookies = await logInHere()
  await logIn(url)
  t.equal((await get(cookies)).headers['location'], '/login?next=%2Faccount&reason=elsewhere')
})

t.test('an expired token leads to a button that continues the session', async (t) => {
  const { url, directory, logInHere, get, post } = await openBrowser(t)
  const cookies = await logInHere()
  const old = { ...cookies, '__Host-access': await expired(directory, cookies['__Host-access']!) }
  t.equal((await get(old)).headers['location'], '/login?next=%2Faccount')
  const page = await get(old, '/login?next=%2Faccount')
  t.match(page.text, 'action="/auth/pages/continue"')
  t.match(page.text, 'You are still logged in.')
  t.notMatch((await get(cookies, '/login')).text, 'continue"', 'a good token needs none')
  const { status, headers, setCookie } = await post(old, '/auth/pages/continue', { next: '/account' })
  t.strictSame([status, headers['location']], [303, '/account'])
  t.notMatch(setCookie.join(), 'Max-Age', 'the session still ends with the browser')
  t.equal((await get(cookiesOf(setCookie))).status, 200)
  t.equal((await post(old, '/auth/pages/continue', {}, { origin: 'https://evil.example' })).status, 403)
  await call(url, 'POST', '/auth/logout', { token: (await logIn(url)).access_token, json: { all: true } })
  const ended = await post(old, '/auth/pages/continue', { next: 'https://evil.example' })
  t.strictSame([ended.status, ended.headers['location']], [303, '/login?reason=ended'])
  t.match(ended.setCookie.join(), /__Host-access=; Max-Age=0/)
})

t.test('in the single scheme, the button renews the token', async (t) => {
  const { directory, logInHere, post } = await openBrowser(t, { tokens: { scheme: 'single' } })
  const cookies = await logInHere()
  const old = { '__Host-access': await expired(directory, cookies['__Host-access']!) }
  const { status, setCookie } = await post(old, '/auth/pages/continue')
  t.equal(status, 303)
  t.match(setCookie.join(), /__Host-access=ey/)
})

t.test('hostile names of devices and browsers are escaped', async (t) => {
  const { url, logInHere, get } = await openBrowser(t)
  const cookies = await logInHere()
  const hostile = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '\u202Egnp.exe',
    '{n} {when} $& $1',
  ]
  for (const device of hostile) {
    const json = { username: 'ada', password: USERS.ada, device }
    await call(url, 'POST', '/auth/login', {
      json,
      headers: { 'user-agent': 'x"><script>alert(2)</script> Firefox/1 Windows' },
    })
  }
  const { text } = await get(cookies)
  t.notMatch(text, /<script>|<img src=x|\u202e/i)
  t.notMatch(text, /onmouseover='/)
  t.match(text, '<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>')
  t.match(text, '<bdi>{n} {when} $&amp; $1</bdi>')
  t.equal(rowsOf(text).length, 1 + hostile.length)
})

t.test('forms of other sites end nothing', async (t) => {
  const { url, logInHere, get, post, isAlive } = await openBrowser(t)
  const cookies = await logInHere()
  const other = await logIn(url)
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
  ])
    for (const path of ['end', 'end-others', 'logout']) {
      const { status, setCookie } = await post(
        cookies,
        `/account/${path}`,
        { sid: other.session_id },
        headers as unknown as Record<string, string>,
      )
      t.equal(status, 403, path)
      t.same(setCookie, [])
    }
  for (const path of ['end', 'end-others', 'logout'])
    t.equal((await get(cookies, `/account/${path}?sid=${other.session_id}`)).status, 405)
  t.ok(await isAlive(other.access_token))
  t.equal((await get(cookies)).status, 200)
})

t.test('nothing beneath the page is forwarded', async (t) => {
  const upstream = await startUpstream(t)
  const { get, logInHere } = await openBrowser(t, {
    routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
  })
  t.equal((await get(await logInHere(), '/account/other')).status, 404)
  t.equal((await get({}, '/%61ccount')).status, 303)
  t.same(upstream.seen, [])
})

t.test('the cookies of /auth/login work on the page', async (t) => {
  const { url, get } = await openBrowser(t)
  t.equal((await get(await logInByCookies(url))).status, 200)
})
