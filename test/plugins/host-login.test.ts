/** A host's `login` function that throws, and subjects that are numbers. */
import fastify from 'fastify'
import t from 'tap'
import portcullis, { PortcullisError } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { home, sharedSettings } from '../support/gateway-process.js'

async function host(
  t: Scope,
  login: NonNullable<PluginOptions['login']>,
  options: Partial<PluginOptions> = {},
) {
  const lines: string[] = []
  const app = fastify({ logger: { stream: { write: (line: string) => void lines.push(line) } } })
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), ...options, login })
  const logIn = async (username = 'eve', password = 'x') => {
    const response = await app.inject({ method: 'POST', url: '/auth/login', payload: { username, password } })
    const { statusCode, headers } = response
    return { statusCode, headers, body: response.json() }
  }
  return { app, logIn, lines }
}

const failure = (message: string, fields: object) => Object.assign(new Error(message), fields)

t.test('a login that throws an error with a 4xx status is refused with that status', async (t) => {
  for (const [fields, status] of [
    [{ statusCode: 403 }, 403],
    [{ status: 423 }, 423],
    [{ statusCode: 400, code: 'FST_ERR_VALIDATION' }, 400],
  ] as const) {
    const { logIn } = await host(t, () => Promise.reject(failure('Confirm your e-mail first.', fields)))
    t.match(await logIn(), {
      statusCode: status,
      headers: { 'content-type': /^application\/problem\+json/ },
      body: { status, code: 'login_refused', detail: 'Confirm your e-mail first.' },
    })
  }
  const hidden = await host(t, () => {
    throw failure('row 7 of table users', { statusCode: 403, expose: false })
  })
  const { body } = await hidden.logIn()
  t.equal(body.code, 'login_refused')
  t.equal(body.detail, undefined)
})

t.test('a login that throws 401 is wrong credentials, and 429 has Retry-After', async (t) => {
  for (const error of [failure('no', { statusCode: 401 }), new PortcullisError('invalid_credentials')]) {
    const wrong = await host(t, () => Promise.reject(error))
    t.match(await wrong.logIn(), { statusCode: 401, body: { code: 'invalid_credentials' } })
    t.ok(wrong.lines.some((line) => line.includes('"login_failed"')))
  }
  const busy = await host(t, () =>
    Promise.reject(failure('', { statusCode: 429, headers: { 'retry-after': '7' } })),
  )
  t.match(await busy.logIn(), {
    statusCode: 429,
    headers: { 'retry-after': '7' },
    body: { code: 'rate_limited' },
  })
})

t.test(
  'a login that throws 502 to 504 is unavailable, and any other error is 500, without its message',
  async (t) => {
    for (const [fields, status, code] of [
      [{ statusCode: 503 }, 502, 'upstream_unavailable'],
      [{ status: 504 }, 504, 'upstream_timeout'],
      [{ statusCode: 500 }, 500, 'internal_error'],
      [{ statusCode: '403' }, 500, 'internal_error'],
      [{ statusCode: 302 }, 500, 'internal_error'],
      [{}, 500, 'internal_error'],
    ] as const) {
      const { logIn, lines } = await host(t, () => Promise.reject(failure('the directory is away', fields)))
      const { statusCode, body } = await logIn()
      t.match({ statusCode, code: body.code }, { statusCode: status, code }, JSON.stringify(fields))
      t.notMatch(JSON.stringify(body), /directory/)
      t.match(lines.join(''), /directory/, 'the log has the message')
    }
  },
)

t.test('guesses are counted, whichever 4xx the host throws for them', async (t) => {
  for (const thrown of [
    failure('wrong password', { statusCode: 403 }),
    failure('wrong password', { statusCode: 401 }),
    new PortcullisError('login_refused'),
  ]) {
    const { logIn } = await host(t, () => Promise.reject(thrown), {
      rateLimit: { login: { perAccount: { failures: 2 } } },
    })
    await logIn()
    await logIn()
    t.equal((await logIn()).statusCode, 429, thrown.message)
  }
})

t.test('a numeric sub is its decimal text, in login, issue, list, endAll and revoke', async (t) => {
  const { app, logIn } = await host(t, ({ username }) => ({ sub: Number(username) }))
  const { body } = await logIn('42')
  const { access_token } = await app.portcullis.issue({ sub: 42 })
  t.strictSame((await app.portcullis.verifyToken(access_token!)).sub, '42')
  t.strictSame((await app.portcullis.verifyToken(body.access_token)).sub, '42')
  t.equal((await app.portcullis.sessions.list(42)).length, 2)
  t.equal((await app.portcullis.sessions.list('42')).length, 2)
  await app.portcullis.sessions.endAll(42)
  await t.rejects(app.portcullis.verifyToken(access_token!), { code: 'session_ended' })
  const other = await app.portcullis.issue({ sub: '43' })
  await app.portcullis.revoke({ sub: 43 })
  await t.rejects(app.portcullis.verifyToken(other.access_token!), { code: 'token_revoked' })
})

t.test('a number that may have been rounded, or isn’t whole, is no subject', async (t) => {
  const { app, logIn } = await host(t, ({ username }) => ({ sub: Number(username) }))
  for (const sub of [2 ** 53, 1.5, Number.NaN, Infinity]) {
    t.match(await logIn(String(sub)), { statusCode: 500, body: { code: 'internal_error' } })
    await t.rejects(app.portcullis.issue({ sub }), { name: 'TypeError', message: /^sub must be/ })
    await t.rejects(app.portcullis.sessions.list(sub), { name: 'TypeError' })
    await t.rejects(app.portcullis.sessions.endAll(sub), { name: 'TypeError' })
    await t.rejects(app.portcullis.revoke({ sub }), { name: 'TypeError' })
  }
  t.equal((await logIn('-0')).statusCode, 200)
  t.equal((await app.portcullis.sessions.list(0)).length, 1)
})

t.test('an identity with an unknown field is an error of the host that names the field', async (t) => {
  for (const [identity, field] of [
    [{ sub: 'eve', scopes: 'admin' }, 'scopes'],
    [{ sub: 'eve', role: 'admin' }, 'role'],
    [{ sub: 'eve', device: 'phone' }, 'device'],
    [JSON.parse('{"sub":"eve","__proto__":{}}'), '__proto__'],
  ] as const) {
    const { logIn, lines } = await host(t, () => identity)
    t.match(await logIn(), { statusCode: 500, body: { code: 'internal_error' } }, field)
    t.match(lines.join(''), `login: the identity has the unknown field \\"${field}\\"`)
  }
  const all = { sub: 'eve', clientId: 'app', scope: 'a b', claims: { role: 'admin' }, role: undefined }
  const { logIn } = await host(t, () => all)
  t.equal((await logIn()).statusCode, 200)
})
