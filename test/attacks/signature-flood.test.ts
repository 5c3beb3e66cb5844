/** Tokens with wrong signatures, each of which costs a verification, sent as fast as they go. */
import { setTimeout } from 'node:timers/promises'
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
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, n) => get(bad(n))))
  const limited = answers.filter(({ status }) => status === 429)
  t.ok(limited.length > 0, `${limited.length} of 1,000 were not even verified`)
  isRefused(t, limited[0]!, 429, 'rate_limited')
  t.equal(answers.filter(({ status }) => status === 401).length, 1_000 - limited.length)

  for (let n = 0; n < 20; n += 1) t.equal((await get(known)).status, 200, 'a token that is known')
  await soon('a new token of the address passes', async () => (await get(fresh)).status === 200)
  t.equal((await get(bad(1_000), '192.0.2.2')).status, 401, 'another address has a budget of its own')

  const logouts = await Promise.all(Array.from({ length: 1_000 }, (_, n) => logOut(bad(n))))
  t.ok(
    logouts.some(({ status }) => status === 429),
    'a logout verifies signatures, too',
  )
  await soon('a logout of the address is done', async () => (await logOut(fresh)).status === 204)
})

t.test('a few wrong signatures per second never lock out new tokens of the address', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    keys: { algorithm: 'ES512' },
    routes: [{ path: '/', upstream: upstream.url }],
  })
  const { access_token: model } = await logIn(url)
  const signature = model.split('.')[2]!
  for (let round = 0; round < 12; round += 1) {
    for (let n = 0; n < 10; n += 1) {
      const token = model.replace(
        signature,
        `${signature.slice(0, 40)}${`${round}`.padStart(4, 'A')}${`${n}`.padStart(4, 'A')}${signature.slice(48)}`,
      )
      isRefused(t, await call(url, 'GET', '/x', { token }), 401, 'token_invalid')
    }
    const { access_token } = await logIn(url)
    t.equal((await call(url, 'GET', '/x', { token: access_token })).status, 200)
    await setTimeout(300)
  }
})
