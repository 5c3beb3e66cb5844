/** The admin listener's API, on any store. */
import type { Test } from 'tap'
import {
  call,
  claimsOf,
  home,
  isRefused,
  logIn,
  soon,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import type { Overrides } from '../support/gateway-process.js'

const TOKEN = 'an-admin-token-of-thirty-two-characters'

async function rig(t: Test, overrides: () => Overrides) {
  const upstream = await startUpstream(t)
  const { url, adminUrl } = await startGateway(
    t,
    {
      admin: { host: '127.0.0.1', port: 0, token: TOKEN },
      routes: [{ path: '/', upstream: upstream.url }],
      ...overrides(),
    },
    await home(t),
  )
  await soon('it is ready', async () => (await call(url, 'GET', '/readyz')).status === 200)
  const ask = (method: string, path: string, json?: object) =>
    call(adminUrl!, method, `/api${path}`, { token: TOKEN, ...(json && { json }) })
  const passes = async (token: string) => (await call(url, 'GET', '/x', { token })).status
  return { url, adminUrl: adminUrl!, ask, passes }
}

interface Listed {
  readonly kind: string
  readonly id: string
  readonly before: number | null
  readonly reason: string
}

/** @param overrides Of the settings; asked for anew by each test, whose data is its own. */
export async function testAdmin(t: Test, overrides: () => Overrides) {
  await t.test('without the admin token there is no access, whatever else is presented', async (t) => {
    const { url, adminUrl } = await rig(t, overrides)
    const { access_token } = await logIn(url)
    for (const path of ['/api/revocations', '/api/explain']) {
      const method = path === '/api/explain' ? 'POST' : 'GET'
      isRefused(t, await call(adminUrl, method, path), 401, 'credentials_missing', path)
      for (const token of [access_token, `${TOKEN}x`, TOKEN.slice(1)])
        isRefused(t, await call(adminUrl, method, path, { token }), 401, 'token_invalid', path)
      t.equal((await call(url, method, path, { token: TOKEN })).status, 401, 'not on the public listener')
    }
    t.equal((await call(adminUrl, 'GET', '/metrics')).status, 200)
    isRefused(
      t,
      await call(adminUrl, 'DELETE', '/api/revocations', { token: TOKEN }),
      405,
      'method_not_allowed',
    )
    isRefused(t, await call(adminUrl, 'GET', '/auth/me', { token: TOKEN }), 404, 'not_found')
  })

  await t.test('each target is revoked at once and listed', async (t) => {
    const { url, ask, passes } = await rig(t, overrides)
    const others = await logIn(url, 'bob')
    for (const kind of ['jti', 'sid', 'sub'] as const) {
      const { access_token, refresh_token } = await logIn(url)
      const id = String(claimsOf(access_token)[kind])
      t.equal(await passes(access_token), 200)
      t.match(await ask('POST', '/revocations', { [kind]: id, reason: `why ${kind}` }), {
        status: 201,
        body: { [kind]: id },
      })
      t.equal(await passes(access_token), 401, kind)
      t.equal(await passes(others.access_token), 200, `${kind}: nobody else`)
      const refreshed = await call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
      t.equal(refreshed.status, kind === 'jti' ? 200 : 401, `${kind}: the session`)
      const { revocations } = (await ask('GET', `/revocations?search=${id}`)).body as {
        revocations: Listed[]
      }
      const found = revocations.filter((one) => one.kind === kind && one.id === id)
      t.match(found, [{ reason: `why ${kind}` }], `${kind} is listed`)
    }
    t.match(await ask('POST', '/revocations', { all: true }), { status: 201, body: { all: true } })
    t.equal(await passes(others.access_token), 401)
    t.match((await ask('GET', '/revocations?search=no-such-text')).body, { revocations: [] })
  })

  await t.test('an evicted session is listed without a time, and its token is explained', async (t) => {
    const { url, ask, passes } = await rig(t, () => ({ ...overrides(), sessions: { perDevice: 1 } }))
    const { access_token: token, session_id } = await logIn(url)
    const { access_token: next } = await logIn(url)
    t.strictSame([await passes(token), await passes(next)], [401, 200])
    const { revocations } = (await ask('GET', `/revocations?search=${session_id}`)).body as {
      revocations: Listed[]
    }
    t.match(revocations, [{ kind: 'sid', before: null, reason: 'evicted' }])
    const { steps, ...explained } = (await ask('POST', '/explain', { token })).body
    t.match(explained, { admitted: false, code: 'signed_in_elsewhere' })
    t.strictSame(steps.at(-1), { step: 'revocation', ok: false, reason: 'evicted' })
  })

  await t.test('the list comes in pages, newest first, each entry once', async (t) => {
    const { ask } = await rig(t, overrides)
    for (const sid of ['one', 'two', 'three', 'one', 'four'])
      t.equal((await ask('POST', '/revocations', { sid, reason: `${sid} ended` })).status, 201)
    const page = async (query: string) => {
      const { revocations, next_cursor } = (await ask('GET', `/revocations?${query}`)).body as {
        revocations: Listed[]
        next_cursor?: string
      }
      return { ids: revocations.map(({ id }) => id), next_cursor }
    }
    const first = await page('limit=2')
    t.strictSame(first.ids, ['four', 'one'])
    const second = await page(`limit=2&cursor=${first.next_cursor}`)
    t.strictSame(second.ids, ['three', 'two'])
    const all = await page('')
    t.strictSame(all, { ids: ['four', 'one', 'three', 'two'], next_cursor: undefined }, 'once on a page')
    t.strictSame((await page('search=e%20ended')).ids, ['one', 'three'], 'by a part of the reason')
    for (const query of ['cursor=x', 'cursor=1-1', 'limit=0', 'limit=1001'])
      isRefused(t, await ask('GET', `/revocations?${query}`), 400, 'invalid_request', query)
  })

  await t.test(
    'before: later tokens stay valid; a future time means now, and the response says so',
    async (t) => {
      const { url, ask, passes } = await rig(t, overrides)
      const { access_token } = await logIn(url)
      const { iat } = claimsOf(access_token)
      t.match(await ask('POST', '/revocations', { sub: 'ada', before: iat - 1 }), {
        status: 201,
        body: { before: iat - 1 },
      })
      t.equal(await passes(access_token), 200)
      const answer = await ask('POST', '/revocations', { sub: 'ada', before: iat + 86_400 })
      t.equal(answer.status, 201)
      const now = Date.now() / 1000
      t.ok(answer.body.before <= now && answer.body.before > now - 60, `not ${answer.body.before}`)
      t.equal(await passes(access_token), 401)
      t.equal(await passes((await logIn(url)).access_token), 200, 'a new login is none of it')
    },
  )

  await t.test('anything but exactly one target is 400 and revokes nothing', async (t) => {
    const { url, ask, passes } = await rig(t, overrides)
    const { access_token } = await logIn(url)
    const { sub, sid } = claimsOf(access_token)
    const mistakes: [object, RegExp][] = [
      [{}, /Give exactly one of/],
      [{ reason: 'none' }, /Give exactly one of/],
      [{ sub, sid }, /Give exactly one of/],
      [{ sub, all: true }, /Give exactly one of/],
      [{ all: false }, /all/],
      [{ sub: '' }, /sub/],
      [{ sub: 7 }, /sub/],
      [{ sid, before: 1 }, /before: use it with sub or all only/],
      [{ sub, before: 1.5 }, /before/],
      [{ sub, expiresIn: 5 }, /expiresIn: use it with jti only/],
      [{ jti: 'x', expiresIn: 0 }, /expiresIn/],
    ]
    for (const [json, detail] of mistakes) {
      const answer = await ask('POST', '/revocations', json)
      isRefused(t, answer, 400, 'invalid_request', JSON.stringify(json))
      t.match(answer.body.detail, detail)
    }
    t.equal(await passes(access_token), 200)
    t.match((await ask('GET', '/revocations')).body, { revocations: [] })
  })

  await t.test('explain returns what a guard would decide, and at which step', async (t) => {
    const { url, ask, passes } = await rig(t, overrides)
    const { access_token } = await logIn(url)
    const explain = async (token: string) => (await ask('POST', '/explain', { token })).body
    t.match(await explain(access_token), { admitted: true, claims: { sub: 'ada' } })
    t.match(await explain('no token'), {
      admitted: false,
      code: 'token_malformed',
      steps: [{ step: 'shape', ok: false }],
    })
    const forged = `${access_token.slice(0, -8)}AAAAAAAA`
    const { steps } = await explain(forged)
    t.match(steps, [
      { step: 'shape', ok: true },
      { step: 'signature', ok: false },
    ])
    t.equal((await call(url, 'POST', '/auth/logout', { token: access_token })).status, 204)
    const ended = await explain(access_token)
    t.match(ended, { admitted: false, code: 'session_ended', claims: { sub: 'ada' } })
    t.match(ended.steps.at(-1), { step: 'revocation', ok: false, reason: 'sid' })
    t.equal(await passes(access_token), 401)
    isRefused(t, await ask('POST', '/explain', {}), 400, 'invalid_request')
  })
}
