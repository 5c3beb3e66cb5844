import t from 'tap'
import type { RefreshFunction } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { Log } from '../../src/logger.js'
import { createHostCheck } from '../../src/login/host-check.js'
import type { Session, Sid } from '../../src/session/session.js'

const session = {
  sid: 'a-session' as Sid,
  sub: 'ada',
  scope: 'read',
  claims: { tenant: 'one', roles: ['clerk'] },
  credential: undefined,
} as unknown as Session

function open(onRefresh: RefreshFunction) {
  const records: Record<string, unknown>[] = []
  const write = (record: object) => void records.push({ ...record })
  const log = { info: write, warn: write, error: write, debug: write } as unknown as Log
  return { check: createHostCheck(onRefresh, log), records }
}

t.test('onRefresh gets the session and the request, and its result is passed on', async (t) => {
  const request = { url: '/auth/refresh' }
  const { check } = open(async (refreshed, from) => {
    t.strictSame(refreshed, { sub: 'ada', sid: 'a-session', scope: 'read', claims: session.claims })
    t.equal(from, request)
    return { scope: 'read write', claims: { tenant: 'two' } }
  })
  t.strictSame(await check(session, request), { scope: 'read write', claims: { tenant: 'two' } })
})

t.test('undefined fields mean unchanged, and null ends the session', async (t) => {
  t.strictSame(await open(() => ({})).check(session), { scope: undefined })
  t.strictSame(await open(() => ({ scope: '' })).check(session), { scope: '' })
  t.match(await open(() => ({ claims: {} })).check(session), { scope: undefined, claims: {} })
  t.equal(await open(() => null).check(session), null)
})

t.test('an error means 503, whatever its status is: only null ends a session', async (t) => {
  for (const status of [401, 403, 404, 410, 429, 500, 502, 504]) {
    const error = Object.assign(new Error('from the API behind'), { statusCode: status, status })
    const { check, records } = open(() => Promise.reject(error))
    await t.rejects(check(session), { code: 'store_unavailable', statusCode: 503 }, String(status))
    t.match(records, [{ event: 'refresh_check_failed', reason: 'error' }])
  }
  const own = open(() => {
    throw new PortcullisError('session_ended')
  })
  await t.rejects(own.check(session), { code: 'store_unavailable', statusCode: 503 })
})

t.test('a result of another shape is an error of the host, which changes nothing', async (t) => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const results: [name: string, result: unknown][] = [
    ['nothing', undefined],
    ['true', true],
    ['false', false],
    ['text', 'read'],
    ['a list', []],
    ['a scope that is a list', { scope: ['read'] }],
    ['a scope that is null', { scope: null }],
    ['claims that are a list', { claims: [] }],
    ['claims that are null', { claims: null }],
    ['claims that are text', { claims: 'x' }],
    ['claims with a big integer', { claims: { id: 1n } }],
    ['claims with a cycle', { claims: cycle }],
    ['claims with another form in JSON', { claims: new Date() }],
  ]
  for (const [name, result] of results) {
    const { check, records } = open((() => result) as RefreshFunction)
    await t.rejects(check(session), { code: 'store_unavailable', statusCode: 503 }, name)
    t.match(records, [{ event: 'refresh_check_failed', reason: String }], name)
  }
})

t.test('neither side can change the claims of the other afterwards', async (t) => {
  const own = { roles: ['clerk'] }
  const { check } = open(({ claims }) => {
    ;(claims['roles'] as string[]).push('admin')
    return { claims: own }
  })
  const result = await check(session)
  t.strictSame(session.claims['roles'], ['clerk'])
  own.roles.push('admin')
  t.strictSame(result?.claims, { roles: ['clerk'] })
})

t.test('failures are logged at most once per second', async (t) => {
  const { check, records } = open(() => Promise.reject(new Error('down')))
  await Promise.allSettled(Array.from({ length: 100 }, () => check(session)))
  t.equal(records.length, 1)
})
