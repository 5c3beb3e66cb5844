/** Someone at the same address sends wrong signatures. That must neither stop a logout nor make it promise too much. */
import t from 'tap'
import { call, isRefused, logIn, startGateway } from '../support/gateway-process.js'
import type { Test } from 'tap'

async function setUp(t: Test) {
  const { url } = await startGateway(t, { keys: { algorithm: 'ES512' } })
  const { access_token: model } = await logIn(url)
  const signature = model.split('.')[2]!
  let sent = 0
  const bad = () => {
    sent += 1
    return model.replace(
      signature,
      `${signature.slice(0, 40)}${String(sent).padStart(8, 'A')}${signature.slice(48)}`,
    )
  }
  const me = (token: string) => call(url, 'GET', '/auth/me', { token })
  const logOut = (token: string, json?: object) =>
    call(url, 'POST', '/auth/logout', { token, ...(json && { json }) })
  /** Sends bad tokens in batches until the last batch was refused unverified in part. */
  const spend = async (send: (token: string) => Promise<{ status: number }>) => {
    const deadline = performance.now() + 30_000
    for (;;) {
      const answers = await Promise.all(Array.from({ length: 200 }, () => send(bad())))
      if (answers.some(({ status }) => status === 429)) return
      if (performance.now() > deadline) throw new Error('the budget was never spent')
    }
  }
  return { url, me, logOut, spend, bad }
}

t.test('wrong signatures at other routes stop no logout, whether the token is known or not', async (t) => {
  const { url, me, logOut, spend } = await setUp(t)
  const [known, unknown, all] = [await logIn(url), await logIn(url), await logIn(url, 'bob')]
  t.equal((await me(known.access_token)).status, 200)
  await spend(me)
  t.equal((await logOut(known.access_token)).status, 204)
  t.equal((await logOut(unknown.access_token)).status, 204)
  t.equal((await logOut(all.access_token, { all: true })).status, 204)
})

t.test('a 204 ends the session of every presented token', async (t) => {
  const { url, me, logOut, spend } = await setUp(t)
  const attempts = await Promise.all(
    Array.from({ length: 10 }, async () => ({ one: await logIn(url), two: await logIn(url) })),
  )
  await spend(me)
  await spend((token) => logOut(token))
  let refused = 0
  for (const { one, two } of attempts) {
    const [, response] = await Promise.all([
      spend((token) => logOut(token)),
      logOut(two.access_token, { refresh_token: one.refresh_token }),
    ])
    if (response.status === 429) {
      refused += 1
      isRefused(t, response, 429, 'rate_limited')
      continue
    }
    t.equal(response.status, 204)
    const refresh_token = two.refresh_token
    t.equal((await call(url, 'POST', '/auth/refresh', { json: { refresh_token } })).status, 401, 'ended')
  }
  t.comment(`${refused} of 10 logouts were refused`)
})

t.test('a logout with a known token ends it even if the budget of logouts is spent', async (t) => {
  const { url, me, logOut, spend } = await setUp(t)
  const { access_token } = await logIn(url)
  t.equal((await me(access_token)).status, 200)
  await spend((token) => logOut(token))
  t.equal((await logOut(access_token)).status, 204)
  isRefused(t, await me(access_token), 401, 'session_ended')
})
