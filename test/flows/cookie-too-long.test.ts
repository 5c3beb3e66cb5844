/** A browser drops a cookie of more than 4,096 bytes without an error. */
import fastify from 'fastify'
import t from 'tap'
import { portcullis } from '../../src/index.js'
import { call, cookiesOf, home, sharedSettings } from '../support/gateway-process.js'

const app = fastify()
t.teardown(() => app.close())
await app.register(portcullis, {
  ...sharedSettings(await home(t)),
  // The name of the user is the length of a claim.
  login: ({ username }: { username: string }) => ({
    sub: 'ada',
    claims: { roles: 'x'.repeat(Number(username)) },
  }),
})
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const logIn = (length: number, cookies: boolean) =>
  call(url, 'POST', '/auth/login', {
    json: { username: String(length), password: 'x', cookies },
    headers: { origin: url },
  })

t.test('a login whose access token does not fit into a cookie is refused with the length', async (t) => {
  const refused = await logIn(4000, true)
  t.equal(refused.status, 500)
  t.strictSame(refused.setCookie, [])
  const [, length = ''] = /cookie of ([\d,]+) bytes/.exec(refused.body.detail) ?? []
  t.ok(Number(length.replace(',', '')) > 4096, refused.body.detail)
  t.match(refused.body.detail, /4,096/)
  t.strictSame([...(await app.portcullis.sessions.list('ada'))], [], 'no session was stored')
  t.equal((await logIn(4000, false)).status, 200, 'the token in the body has no such limit')
})

t.test('every login by cookie that succeeds sets cookies that browsers keep', async (t) => {
  let [longest, shortestRefused] = [0, 0]
  for (let length = 2400; length <= 2700; length += 10) {
    const { status, setCookie } = await logIn(length, true)
    for (const line of setCookie) longest = Math.max(longest, Buffer.byteLength(line))
    if (status === 500 && shortestRefused === 0) shortestRefused = length
    if (status !== 200) continue
    const refreshed = await call(url, 'POST', '/auth/refresh', {
      cookies: cookiesOf(setCookie),
      headers: { origin: url },
    })
    t.equal(refreshed.status, 200)
    for (const line of refreshed.setCookie) longest = Math.max(longest, Buffer.byteLength(line))
  }
  t.ok(shortestRefused > 0, 'the range contains the limit')
  t.ok(longest > 4050 && longest <= 4096, `the longest cookie had ${longest} bytes`)
})
