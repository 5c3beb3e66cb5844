import t from 'tap'
import type { Test } from 'tap'
import { createCounter } from '../../plugins/rate-limit-counter.js'
import { createLimiters } from '../../src/rate-limit/limiters.js'
import { login } from '../../src/session/login.js'
import type { LoginRequest } from '../../src/session/login.js'
import { WorkSlots } from '../../src/login/work-slots.js'
import { embedded, judged, outcomeOf, told } from '../support/sessions.js'
import { living } from '../support/session-store.js'
import type { MemoryRig } from '../support/sessions.js'

const LIMIT = 10

interface Door {
  readonly rig: MemoryRig
  /** Every password that reached the authenticator. */
  readonly reached: string[]
  readonly countFailures: () => number
  try(password: string, username?: string): Promise<string>
  readonly request: (password: string, username?: string) => LoginRequest
}

/** A login as the server has it, with its real limiter; `right` is everybody's password. */
async function door({ slots = new WorkSlots(1, 100) } = {}): Promise<Door> {
  const rig = embedded()
  const { failures } = await createLimiters(
    createCounter,
    { failures: { namespace: 'test', max: LIMIT, per: 60_000 } },
    undefined,
  )
  const reached: string[] = []
  let counted = 0
  const request = (password: string, username = 'alice'): LoginRequest => ({
    slots,
    attempts: {
      account: `hash of ${username}`,
      address: '127.0.0.1',
      waitSeconds: () => failures.waitSeconds(username),
      async countFailure() {
        counted += 1
        await failures.count(username)
      },
      countSuccess: async () => 0,
    },
    async authenticate() {
      reached.push(password)
      await new Promise((resolve) => setImmediate(resolve))
      return password === 'right' ? { sub: username } : null
    },
  })
  return {
    rig,
    reached,
    request,
    countFailures: () => counted,
    try: (password, username = 'alice') =>
      outcomeOf(() => login(rig.ports, request(password, username), { ip: '127.0.0.1' })),
  }
}

function repeat(n: number, work: () => Promise<string>): Promise<string[]> {
  return Promise.all(Array.from({ length: n }, work))
}

t.test('the right password starts a session', async (t) => {
  const { rig, request } = await door()
  const origin = { ip: '127.0.0.1', device: 'telephone', userAgent: 'test' }
  const { accessToken, session } = await login(rig.ports, request('right'), origin)
  t.match(session, { sub: 'alice', ...origin })
  t.equal(await judged(rig, accessToken), 'good')
})

t.test('a wrong password is logged and counted, and starts no session', async (t) => {
  const one = await door()
  t.equal(await one.try('wrong'), 'invalid_credentials')
  t.equal(one.countFailures(), 1)
  t.strictSame(one.rig.events, [{ event: 'login_failed', account: 'hash of alice', ip: '127.0.0.1' }])
  t.same(await living(one.rig.ports.store, 'alice', one.rig.clock.now()), [])
})

t.test('after the permitted failures, even the right password must wait', async (t) => {
  const one = await door()
  for (let i = 0; i < LIMIT; i += 1) t.equal(await one.try('wrong'), 'invalid_credentials')
  t.equal(await one.try('right'), 'rate_limited')
  t.equal(one.reached.length, LIMIT, 'the authenticator was not asked')
  t.equal(told(one.rig, 'login_limited').length, 1)
  t.equal(one.countFailures(), LIMIT, 'a refusal is no failure')
  t.equal(await one.try('right', 'bob'), 'good', 'others go on')
  const refusal: unknown = await login(one.rig.ports, one.request('right'), {}).catch(
    (error: unknown) => error,
  )
  t.match(refusal, { statusCode: 429, headers: { 'retry-after': /^(?:[1-9]|[1-5]\d|60)$/ } })
})

t.test('successful logins don’t count as failures', async (t) => {
  const one = await door()
  for (let i = 0; i < 3 * LIMIT; i += 1) t.equal(await one.try('right'), 'good')
  t.equal(await one.try('wrong'), 'invalid_credentials')
  t.equal(one.countFailures(), 1)
})

async function isBounded(t: Test, one: Door, slots: number): Promise<void> {
  const outcomes = await repeat(30, () => one.try('wrong'))
  t.ok(one.reached.length >= LIMIT, `${one.reached.length} reached the authenticator`)
  t.ok(one.reached.length <= LIMIT + slots)
  t.equal(outcomes.filter((outcome) => outcome === 'invalid_credentials').length, one.reached.length)
  t.equal(outcomes.filter((outcome) => outcome === 'rate_limited').length, 30 - one.reached.length)
}

t.test('30 concurrent guesses: no more than limit and slots allow are checked', async (t) => {
  await isBounded(t, await door(), 1)
  await isBounded(t, await door({ slots: new WorkSlots(4, 100) }), 4)
})

t.test('logins beyond the queue get overloaded, and aren’t counted or checked', async (t) => {
  const one = await door({ slots: new WorkSlots(1, 5) })
  const outcomes = await repeat(30, () => one.try('wrong'))
  t.equal(outcomes.filter((outcome) => outcome === 'overloaded').length, 24)
  t.equal(one.reached.length, 6)
  t.equal(one.countFailures(), 6)
})

t.test(
  'an Error of a host’s login function frees the slot, and isn’t counted as a failed login',
  async (t) => {
    const one = await door()
    for (let i = 0; i < 3; i += 1) {
      const authenticate = () => Promise.reject(new Error('the host’s own'))
      await t.rejects(login(one.rig.ports, { ...one.request('right'), authenticate }, {}), {
        message: 'the host’s own',
      })
    }
    t.equal(one.countFailures(), 0)
    t.equal(await one.try('right'), 'good')
  },
)

t.test('a login whose password changes before its session is stored starts no session', async (t) => {
  const { rig, request, countFailures } = await door()
  const started: string[] = []
  const attempt: LoginRequest = {
    ...request('right'),
    authenticate: async () => ({ sub: 'alice', credential: 'old' }),
    isOutdated: ({ sid, credential }) => {
      started.push(sid)
      return credential === 'old'
    },
  }
  t.equal(await outcomeOf(() => login(rig.ports, attempt, {})), 'invalid_credentials')
  t.equal(countFailures(), 0, 'the password was right')
  t.match(told(rig, 'session_ended'), [{ sid: started[0], reason: 'revoked' }])
  t.strictSame(await living(rig.ports.store, 'alice', rig.clock.now()), [])
  const authenticate = async () => ({ sub: 'alice', credential: 'new' })
  const { session } = await login(rig.ports, { ...attempt, authenticate }, {})
  t.equal(session.credential, 'new')
})
