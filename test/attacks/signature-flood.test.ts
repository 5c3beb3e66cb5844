/** Tokens with wrong signatures, each of which costs a verification, sent as fast as they go. */
import t from 'tap'
import { call, isRefused, logIn, soon, startGateway, startUpstream } from '../support/gateway-process.js'

t.test('wrong signatures are limited by address, and good tokens of the address still pass', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    keys: { algorithm: 'ES512' },
    routes: [{ path: '/', upstream: upstream.url }],
  })
  const { access_token: known } = await logIn(url)
  const { access_token: fresh } = await logIn(url, 'bob')
  const get = (token: string, from = '192.0.2.1') =>
    call(url, 'GET', '/x', { token, headers: { 'x-forwarded-for': from } })
  const logOut = (token: string) =>
    call(url, 'POST', '/auth/logout', { token, headers: { 'x-forwarded-for': '192.0.2.1' } })
  t.equal((await get(known)).status, 200)

  const signature = known.split('.')[2]!
  const bad = (n: number) =>
    known.replace(signature, `${signature.slice(0, 40)}${String(n).padStart(8, 'A')}${signature.slice(48)}`)
  const answers = await Promise.all(Array.from({ length: 400 }, (_, n) => get(bad(n))))
  const limited = answers.filter(({ status }) => status === 429)
  t.ok(limited.length > 100, `${limited.length} of 400 were not even verified`)
  isRefused(t, limited[0]!, 429, 'rate_limited')
  t.equal(answers.filter(({ status }) => status === 401).length, 400 - limited.length)

  for (let n = 0; n < 20; n += 1) t.equal((await get(known)).status, 200, 'a token that is known')
  await soon('a new token of the address passes', async () => (await get(fresh)).status === 200)
  t.equal((await get(bad(400), '192.0.2.2')).status, 401, 'another address has a budget of its own')

  const logouts = await Promise.all(Array.from({ length: 200 }, (_, n) => logOut(bad(n))))
  t.ok(logouts.filter(({ status }) => status === 429).length > 50, 'a logout verifies signatures, too')
  await soon('a logout of the address is done', async () => (await logOut(fresh)).status === 204)
})
