/** Login page and account page in two real browsers. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { findChromium, openPage } from '../support/browser.js'
import type { Page } from '../support/browser.js'
import { authority } from '../support/certificates.js'
import { USERS, home, soon, startGateway } from '../support/gateway-process.js'
import { startLegacyApp } from '../support/legacy-app.js'

const chromium = findChromium()
if (chromium === undefined) {
  t.comment('CHROMIUM IS MISSING: NO BROWSER IS TRIED. Install one: apt-get install chromium')
  t.plan(0, 'there is no Chromium here')
} else {
  await usePages(chromium)
}

/** Leaves out the lines about responses that are no 2xx, such as that to a wrong password. */
const withoutStatuses = (errors: readonly string[]) =>
  errors.filter((error) => !error.startsWith('Failed to load resource: the server responded'))

async function usePages(command: string): Promise<void> {
  const directory = await home(t)
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  const certificate = authority('a test').issue('127.0.0.1')
  await Promise.all([writeFile(tls.cert, certificate.cert), writeFile(tls.key, certificate.key)])
  const { url: upstream } = await startLegacyApp(t)
  const { url } = await startGateway(
    t,
    {
      listen: { host: '127.0.0.1', port: 0, tls },
      pages: {},
      tokens: { access: '3s' },
      routes: [{ path: '/', upstream, onAnonymous: 'redirect' }],
    },
    directory,
  )
  const browse = (test: Test) => openPage(test, command, certificate.cert)
  const at = (page: Page, path: string) =>
    soon(`the browser is at ${path}`, async () => {
      const href = await page.evaluate('document.readyState === "complete" && location.href').catch(() => '')
      return href === `${url}${path}`
    })
  const shows = (page: Page, text: string) =>
    soon(`the page shows “${text}”`, () =>
      page.evaluate(`document.body?.innerText.includes(${JSON.stringify(text)})`).catch(() => false),
    )
  const type = (page: Page, password: string, name = 'ada') =>
    page.evaluate(`username.value = '${name}'; password.value = ${JSON.stringify(password)}; submit.click()`)
  const logIn = async (page: Page, name: keyof typeof USERS = 'ada', path = '/account') => {
    await page.open(`${url}${path}`)
    await type(page, USERS[name], name)
    await at(page, path)
  }

  t.test('a login returns to the page that was opened, and what is wrong is shown in place', async (t) => {
    const page = await browse(t)
    await page.open(`${url}/private/page?a=b`)
    await at(page, '/login?next=%2Fprivate%2Fpage%3Fa%3Db')
    t.equal(await page.evaluate('document.activeElement.id'), 'username')
    await type(page, 'wrong')
    await shows(page, 'User name or password is wrong.')
    t.equal(await page.evaluate('username.value'), 'ada')
    t.equal(await page.evaluate('document.activeElement.id'), 'password')
    await page.evaluate('show.click()')
    t.equal(await page.evaluate('password.type'), 'text')
    await type(page, USERS.ada)
    await at(page, '/private/page?a=b')
    await shows(page, 'Hello ada')
    t.same(withoutStatuses(page.errors), [])
  })

  t.test('a session that another browser ends says so within a second', async (t) => {
    const [first, second] = [await browse(t), await browse(t)]
    await logIn(first, 'bob')
    await shows(first, 'You are not logged in anywhere else.')
    await shows(first, 'Updates by itself')
    await logIn(second, 'bob')
    await soon('the first page shows the other session', () =>
      first.evaluate(`document.querySelectorAll('#list .session').length === 1`).catch(() => false),
    )
    await shows(first, 'Updates by itself')
    await shows(second, 'Updates by itself')
    await first.evaluate(`document.querySelector('#list button').click()`)
    const begin = performance.now()
    await shows(second, 'This session has ended')
    t.ok(performance.now() - begin < 1000, `${performance.now() - begin} ms`)
    t.match(await second.evaluate('document.body.innerText'), /It was ended from Chrome on Linux\./)
    t.equal(await second.evaluate('document.body.classList.contains("has-fallen")'), true)
    t.equal(await second.evaluate('document.activeElement.id'), 'fallen-title')
    t.equal(
      await second.evaluate('document.getElementById("while-live")'),
      null,
      'the list has left the page',
    )
    await shows(first, 'Ended. It no longer works anywhere.')
    await first.evaluate('location.reload()')
    await shows(first, 'You are not logged in anywhere else.')

    // The page loads itself again for each new session, and must miss none in that time.
    const login = JSON.stringify({ username: 'bob', password: USERS.bob })
    const options = `{ method: 'POST', credentials: 'omit', body: '${login}', headers: { 'content-type': 'application/json' } }`
    await second.evaluate(`Promise.all([1, 2, 3].map(() => fetch('/auth/login', ${options})))`)
    await soon('the first page shows three sessions', () =>
      first.evaluate(`document.querySelectorAll('#list .session').length === 3`).catch(() => false),
    )
    await shows(first, 'Updates by itself')
    await first.evaluate(`document.querySelector('#all summary').click()`)
    await first.evaluate(`document.querySelector('#all button').click()`)
    await shows(first, '3 sessions ended. You are logged in here only.')
    t.same(withoutStatuses([...first.errors, ...second.errors]), [])
  })

  t.test('the page outlives its access token, and logs out in another tab', async (t) => {
    const page = await browse(t)
    await logIn(page)
    await shows(page, 'Updates by itself')
    // An entry appears when a stream has ended, which it does with its access token.
    await soon('two access tokens have expired', async () => {
      const state = await page.evaluate(
        `performance.getEntriesByType('resource').filter(({ name }) => name.includes('/session/events')).length >= 2`,
      )
      return state === true
    })
    await shows(page, 'Updates by itself')
    t.equal(await page.evaluate('document.body.classList.contains("has-fallen")'), false)
    const logout = `fetch('/auth/logout', { method: 'POST' }).then(({ status }) => status)`
    t.equal(await page.evaluate(logout), 204)
    await shows(page, 'You logged out in another tab.')
  })

  t.test('ten tabs share one stream, and all of them learn of the end', async (t) => {
    const first = await browse(t)
    await logIn(first, 'bob')
    const tabs = [first]
    while (tabs.length < 10) tabs.push(await first.openTab())
    for (const tab of tabs.slice(1)) await tab.open(`${url}/account`)
    for (const tab of tabs) await shows(tab, 'Updates by itself')
    t.equal(
      await first.evaluate(`fetch('/auth/logout', { method: 'POST' }).then(({ status }) => status)`),
      204,
    )
    for (const tab of tabs) await shows(tab, 'You logged out in another tab.')
  })

  t.test('a browser that comes back with an expired access token isn’t logged in again', async (t) => {
    const page = await browse(t)
    await logIn(page)
    await soon('the access token has expired', async () => (await page.open(`${url}/auth/me`)).status === 401)
    await page.open(`${url}/account`)
    await at(page, '/account')
    await shows(page, 'Logged in as ada')
  })
}
