import t from 'tap'
import { isRefusal, openTokenApp } from '../support/token-app.js'

t.test('a token in an unsupported place is ignored', async (t) => {
  const app = await openTokenApp(t)
  const { token } = app
  const asked = {
    'in the query': app.ask({}, { url: '/me', query: { access_token: token } }),
    'in the query, by other names': app.ask(
      {},
      { url: '/me', query: { token, jwt: token, authorization: `Bearer ${token}` } },
    ),
    'in a JSON body': app.ask({}, { method: 'POST', payload: { access_token: token } }),
    'in a form': app.ask(
      { 'content-type': 'application/x-www-form-urlencoded' },
      { method: 'POST', payload: `access_token=${token}` },
    ),
    'in x-access-token': app.ask({ 'x-access-token': token }),
    'in x-auth-token': app.ask({ 'x-auth-token': `Bearer ${token}` }),
    'in proxy-authorization': app.ask({ 'proxy-authorization': `Bearer ${token}` }),
    'in x-forwarded-access-token': app.ask({ 'x-forwarded-access-token': token }),
    'in an underscored header': app.ask({
      authorization_: `Bearer ${token}`,
      http_authorization: `Bearer ${token}`,
    }),
    'as Basic': app.ask({ authorization: `Basic ${Buffer.from(`:${token}`).toString('base64')}` }),
    'as Token': app.ask({ authorization: `Token ${token}` }),
    'as JWT': app.ask({ authorization: `JWT ${token}` }),
    'without a scheme': app.ask({ authorization: token }),
    'in another cookie': app.ask({ cookie: `access=${token}; token=${token}` }),
    'in the refresh cookie': app.ask({ cookie: `__Secure-refresh=${token}` }),
    nowhere: app.ask({}),
  }
  for (const [name, answer] of Object.entries(asked)) {
    isRefusal(t, await answer, 'credentials_missing', name, token)
  }
  await app.passes(t, token, 'in the header')
  t.equal((await app.ask({ cookie: `__Host-access=${token}` })).status, 200, 'in its cookie')
})

t.test('nor does it count as a second token beside the header', async (t) => {
  const app = await openTokenApp(t)
  const authorization = `Bearer ${app.token}`
  t.equal(
    (await app.ask({ authorization, 'x-access-token': 'x' }, { query: { access_token: 'x' } })).status,
    200,
  )
})

t.test('a disabled transport is ignored', async (t) => {
  const app = await openTokenApp(t, 'ES256', { accept: { from: ['header'] } })
  isRefusal(
    t,
    await app.ask({ cookie: `__Host-access=${app.token}` }),
    'credentials_missing',
    'the cookie',
    app.token,
  )
  const both = await app.ask({ authorization: `Bearer ${app.token}`, cookie: '__Host-access=x' })
  t.equal(both.status, 200, 'and it is no second token')
  const other = await openTokenApp(t, 'ES256', { accept: { from: ['cookie'] } })
  isRefusal(t, await other.bear(other.token), 'credentials_missing', 'the header', other.token)
  t.equal((await other.ask({ cookie: `__Host-access=${other.token}` })).status, 200)
})

t.test('no token appears in the host’s log, valid or refused', async (t) => {
  const app = await openTokenApp(t)
  const bad = app.forge({ claims: { exp: 1 } })
  await app.passes(t, app.token, 'a good one')
  await app.refuses(t, bad, 'token_expired', 'a bad one')
  await app.refuses(t, `${app.token}=`, 'token_malformed', 'a malformed one')
  await app.ask({ cookie: `__Host-access=${app.token}; __Host-access=${bad}` })
  const logged = app.logged()
  t.match(logged, 'incoming request', 'something was logged')
  for (const part of [
    ...app.token.split('.').slice(1),
    ...bad.split('.').slice(1),
    app.refreshToken.split('.')[2]!,
  ]) {
    t.notOk(logged.includes(part))
  }
})
