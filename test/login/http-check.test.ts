import t from 'tap'
import type { Log } from '../../src/logger.js'
import { createHttpCheck } from '../../src/login/http-check.js'
import type { Session } from '../../src/session/session.js'
import { answers, startLegacyApi } from '../support/legacy-login-api.js'

const session = { sub: 'ada', sid: 'a-session' } as unknown as Session
const log = { warn() {} } as unknown as Log

t.test('more than 1,000 refreshes that wait for the API are refused', async (t) => {
  const api = await startLegacyApi(t, () => {})
  const settings = {
    url: api.url,
    body: 'json',
    username: 'u',
    password: 'p',
    subject: '/id',
    claims: {},
    timeout: 60_000,
  } as const
  const { check, close } = createHttpCheck(settings, api.url, 2, log)
  const waiting = Array.from({ length: 1_000 }, () => check(session))
  await t.rejects(check(session), { code: 'overloaded', statusCode: 503 })
  await close()
  const outcomes = await Promise.allSettled(waiting)
  t.ok(outcomes.every(({ status }) => status === 'rejected'))

  api.behave = answers(200, { id: 'ada' })
  const next = createHttpCheck(settings, api.url, 2, log)
  t.teardown(() => next.close())
  const many = Array.from({ length: 1_000 }, () => next.check(session))
  t.ok((await Promise.all(many)).every((result) => result !== null))
  t.strictSame(await next.check(session), {}, 'those that are done count no more')
})
