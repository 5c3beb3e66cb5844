/** Another site makes a browser send a request, cookies and all, to an application behind a proxy that asks. */
import fastify from 'fastify'
import t from 'tap'
import { portcullis } from '../../src/index.js'
import {
  call,
  home,
  isRefused,
  logInByCookies,
  sharedSettings,
  startGateway,
} from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const directory = await home(t)
const routes = [{ path: '/private' }, { path: '/maybe', auth: 'optional' }]
const at = (trustProxy: readonly string[]) =>
  startGateway(t, { listen: { host: '127.0.0.1', port: 0, trustProxy }, routes }, directory)
const [listed, unlisted] = [await at(['127.0.0.1']), await at([])]

const SITE = { 'x-forwarded-host': 'app.example', 'x-forwarded-proto': 'https' }
const FOREIGN: Record<string, string>[] = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: 'https://app.example.evil.example' },
  { origin: 'https://app.example:8443' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  {},
]
const OWN: Record<string, string>[] = [{ origin: 'https://app.example' }, { 'sec-fetch-site': 'same-origin' }]
const SOCKET: Record<string, string> = {
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
}

/** The ways of telling the original request; the check's own method, its path, its headers. */
const WAYS: ((method: string, uri: string) => [string, string, Record<string, string>])[] = [
  (method, uri) => ['GET', '/auth/verify', { 'x-forwarded-method': method, 'x-forwarded-uri': uri }],
  (method, uri) => ['GET', '/auth/verify', { 'x-original-method': method, 'x-original-uri': uri }],
  (method, uri) => [method, `/auth/verify${uri}`, {}],
]

t.test('the method of the original request counts, although the check is a GET', async (t) => {
  const cookies = await logInByCookies(listed.url)
  for (const way of WAYS) {
    for (const target of ['/private', '/maybe']) {
      for (const method of ['POST', 'DELETE', 'PROPPATCH']) {
        const [by, path, told] = way(method, target)
        for (const foreign of FOREIGN) {
          const answer = await call(listed.url, by, path, {
            cookies,
            headers: { ...SITE, ...told, ...foreign },
          })
          isRefused(t, answer, 403, 'cross_site_request', `${method} ${path} ${JSON.stringify(foreign)}`)
        }
        for (const own of OWN) {
          const { status } = await call(listed.url, by, path, {
            cookies,
            headers: { ...SITE, ...told, ...own },
          })
          t.equal(status, 200, `${method} ${path} ${JSON.stringify(own)}`)
        }
      }
      const [by, path, told] = way('GET', target)
      for (const foreign of FOREIGN) {
        const { status } = await call(listed.url, by, path, {
          cookies,
          headers: { ...SITE, ...told, ...foreign },
        })
        t.equal(status, 200, 'what reads passes from anywhere, as links must work')
      }
    }
  }
})

t.test('a page of another site can’t open a WebSocket', async (t) => {
  const cookies = await logInByCookies(listed.url)
  const cookie = `Cookie: __Host-access=${cookies['__Host-access']}`
  const linesOf = (headers: Record<string, string>) => Object.entries(headers).map((pair) => pair.join(': '))
  for (const way of WAYS) {
    const [by, path, told] = way('GET', '/private')
    // Proxies keep `Upgrade` to themselves, or pass it without `Connection`.
    for (const handshake of [SOCKET, { upgrade: 'websocket' }]) {
      const ask = async (more: Record<string, string>) => {
        const lines = linesOf({ ...SITE, ...told, ...handshake, ...more })
        const bytes = head(`${by} ${path} HTTP/1.1`, 'Host: x', 'Connection: close', cookie, ...lines)
        return (await send(Number(new URL(listed.url).port), bytes)).statuses
      }
      for (const foreign of FOREIGN) t.strictSame(await ask(foreign), [403], JSON.stringify(foreign))
      for (const own of OWN) t.strictSame(await ask(own), [200], JSON.stringify(own))
    }
  }
})

t.test('without an original request, a GET may stand for any method', async (t) => {
  const app = fastify()
  await app.register(portcullis, {
    ...sharedSettings(directory),
    login: { users: `${directory}/users.htpasswd` },
  })
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (const base of [listed.url, unlisted.url, app.listeningOrigin]) {
    const cookies = await logInByCookies(base)
    const ask = async (headers: Record<string, string>, method = 'GET') =>
      call(base, method, '/auth/verify', { cookies, headers })
    for (const foreign of FOREIGN.filter(({ origin }) => origin)) {
      isRefused(t, await ask(foreign), 403, 'cross_site_request', JSON.stringify(foreign))
    }
    for (const foreign of FOREIGN) {
      isRefused(t, await ask(foreign, 'POST'), 403, 'cross_site_request')
      isRefused(t, await ask({ ...SOCKET, ...foreign }), 403, 'cross_site_request')
    }
    t.equal((await ask({})).status, 200)
    t.equal((await ask({ origin: base })).status, 200)
    t.equal((await ask({ origin: base }, 'POST')).status, 200)
  }
})
