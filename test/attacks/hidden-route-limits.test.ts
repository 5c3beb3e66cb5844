/** Limits and outages that could reveal a hidden route. */
import t from 'tap'
import { call, home, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

const directory = await home(t)
const upstream = await startUpstream(t)
const hidden = { path: '/hidden', upstream: upstream.url, hidden: true, scope: ['admin'] }
const settings = {
  keys: { algorithm: 'ES512', dir: `${directory}/es512` },
  routes: [hidden, { path: '/plain', upstream: upstream.url }],
}
const { url } = await startGateway(t, settings, directory)
const { access_token: token } = await logIn(url)

t.test('503 is not hidden while the denylist is unknown, but only a valid signature gets it', async (t) => {
  const { url: cut } = await startGateway(t, { ...settings, store: 'redis://127.0.0.1:9/0' }, directory)
  isRefused(t, await call(cut, 'GET', '/hidden', { token }), 503, 'store_unavailable')
  for (const bad of [undefined, 'x', `${token.slice(0, -8)}AAAAAAAA`])
    isRefused(t, await call(cut, 'GET', '/hidden', { token: bad }), 404, 'not_found')
})

t.test('a flood of wrong signatures gets 404 for each, also when they are limited by address', async (t) => {
  const signature = token.split('.')[2]!
  const bad = (n: number) =>
    token.replace(signature, `${signature.slice(0, 40)}${String(n).padStart(8, 'A')}${signature.slice(48)}`)
  const flood = (path: string, from: number, count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => call(url, 'GET', path, { token: bad(from + n) })))
  const outcomes = new Set<string>()
  for (const { status, body } of await flood('/hidden', 0, 400)) outcomes.add(`${status} ${body.code}`)
  t.strictSame([...outcomes], ['404 not_found'])
  t.ok(
    (await flood('/plain', 400, 50)).some(({ status }) => status === 429),
    'the limit was reached',
  )
})
