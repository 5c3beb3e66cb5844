/** Histories written by hand: each breach is found, and what is legal passes. */
import t from 'tap'
import type { Allowances, Rule } from './checker.js'
import { check, isUnexplained } from './checker.js'
import type { AccessToken, Draft, Fault, Operation, Scope } from './history.js'

const STRICT: Allowances = { grace: 3_000, clockError: 0, loss: 'none' }
const ORIGIN = 1_800_000_000_000

/** A history that is told step by step; each step takes 5 ms, and the next begins 5 ms after it. */
class Story {
  readonly operations: Operation[] = []
  readonly faults: Fault[] = []
  now = 1_000

  step(draft: Partial<Draft>, status: number | undefined, more: Partial<Operation> = {}): Operation {
    const times = { invokedAt: this.now, completedAt: this.now + 5 }
    const operation = { client: 'c', name: 'me', instance: 0, ...times, status, ...draft, ...more }
    this.operations.push(operation)
    this.now = Math.max(this.now, operation.completedAt) + 5
    return operation
  }

  login(sid: string, sub = 'ada', more: Partial<Operation> = {}): AccessToken {
    const iat = Math.floor((ORIGIN + this.now) / 1000)
    const access = { jti: `${sid}-0`, sid, sub, iat, exp: iat + 900 }
    this.step({ name: 'login' }, 200, { obtained: { access, refresh: `${sid}-r0` }, ...more })
    return access
  }

  me(bearer: AccessToken, status = 200): Operation {
    return this.step({ bearer }, status)
  }

  end(ends: Scope, more: Partial<Operation> = {}): Operation {
    return this.step({ name: 'end', ends }, 204, more)
  }

  everywhere(by: AccessToken, keepsCaller = false, status = 204): Operation {
    const ends = { kind: 'everywhere', sub: by.sub, caller: by.sid, keepsCaller } as const
    return this.step({ name: 'everywhere', bearer: by, ends }, status)
  }

  refresh(sid: string, from: number, to: number | undefined, more: Partial<Operation> = {}): Operation {
    const iat = Math.floor((ORIGIN + this.now) / 1000)
    const access = { jti: `${sid}-${to}`, sid, sub: 'ada', iat, exp: iat + 900 }
    const presented = { sid, fingerprint: `${sid}-r${from}` }
    const obtained = { access, refresh: `${sid}-r${to}` }
    return this.step({ name: 'refresh', presented }, 200, { ...(to !== undefined && { obtained }), ...more })
  }

  found(allowances: Partial<Allowances> = {}): Rule[] {
    const history = { operations: this.operations, faults: this.faults, origin: ORIGIN }
    return check(history, { ...STRICT, ...allowances }).violations.map(({ rule }) => rule)
  }
}

const sidOf = ({ sid }: AccessToken): Scope => ({ kind: 'sid', sid })

t.test(
  'a token is admitted after its session, it alone, its subject, or everything was revoked',
  async (t) => {
    const scopes: ((token: AccessToken) => Scope)[] = [
      sidOf,
      ({ jti }) => ({ kind: 'jti', jti }),
      ({ sub }) => ({ kind: 'sub', sub }),
      ({ sub, iat }) => ({ kind: 'sub', sub, before: iat }),
      () => ({ kind: 'all' }),
      ({ iat }) => ({ kind: 'all', before: iat }),
      () => ({ kind: 'kid', kid: 'k' }),
    ]
    for (const scope of scopes) {
      const story = new Story()
      const token = story.login('a')
      const ends = scope(token)
      story.me(token)
      story.end(ends)
      story.me(token, 401)
      t.strictSame(story.found(), [], `refused after ${ends.kind}`)
      story.me(token)
      t.strictSame(story.found(), ['admitted'], `admitted after ${ends.kind}`)
    }
  },
)

t.test('a request that began before the end had answered may be admitted', async (t) => {
  const story = new Story()
  const token = story.login('a')
  const { completedAt } = story.end(sidOf(token))
  story.step({ bearer: token }, 200, { invokedAt: completedAt - 1, completedAt: completedAt + 50 })
  t.strictSame(story.found(), [])
  story.step({ bearer: token }, 200, { invokedAt: completedAt + 1, completedAt: completedAt + 50 })
  t.strictSame(story.found(), ['admitted'])
})

t.test('a 404 that comes from behind the guard is an admission', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.end(sidOf(token))
  story.step({ bearer: token, ends: sidOf(token) }, 404)
  t.strictSame(story.found(), ['admitted'])
})

t.test('a failed end promises nothing by itself, and may have happened', async (t) => {
  for (const status of [503, undefined]) {
    const story = new Story()
    const token = story.login('a')
    story.end(sidOf(token), { status })
    story.me(token, 200)
    story.me(token, 401)
    t.strictSame(story.found(), [], `after ${status}`)
  }
})

t.test('"everywhere" covers sessions whose own end had failed', async (t) => {
  const story = new Story()
  const [first, second] = [story.login('a'), story.login('b')]
  story.end(sidOf(first), { status: 503 })
  story.everywhere(second)
  story.me(first)
  t.strictSame(story.found(), ['admitted'])
})

t.test('"everywhere" covers its caller, unless it keeps it', async (t) => {
  const story = new Story()
  const [first, second] = [story.login('a'), story.login('b')]
  story.everywhere(first, true)
  story.me(first)
  t.strictSame(story.found(), [])
  story.me(first, 401)
  t.strictSame(story.found(), ['spurious refusal'], 'the kept session is refused')
  story.me(second)
  story.everywhere(first)
  story.me(first)
  t.strictSame(story.found(), ['spurious refusal', 'admitted', 'admitted'])
})

t.test('"everywhere" leaves other subjects and later logins alone', async (t) => {
  const story = new Story()
  const [mine, other] = [story.login('a'), story.login('b', 'bob')]
  story.everywhere(mine)
  const later = story.login('c')
  story.me(other)
  story.me(later)
  t.strictSame(story.found(), [])
  story.me(other, 401)
  story.me(later, 401)
  t.strictSame(story.found(), ['spurious refusal', 'spurious refusal'])
})

t.test('a login beside "everywhere" may be ended by it or not', async (t) => {
  const story = new Story()
  const mine = story.login('a')
  const { invokedAt, completedAt } = story.everywhere(mine)
  const beside = story.login('b', 'ada', { invokedAt: invokedAt + 1, completedAt: completedAt + 5 })
  story.me(beside)
  story.me(beside, 401)
  t.strictSame(story.found(), [])
})

t.test('a refresh that races an end leaves no working token behind', async (t) => {
  const story = new Story()
  const token = story.login('a')
  const { invokedAt, completedAt } = story.end(sidOf(token))
  const racing = story.refresh('a', 0, 1, { invokedAt: invokedAt + 1, completedAt: completedAt + 9 })
  t.strictSame(story.found(), [])
  story.me(racing.obtained!.access)
  t.strictSame(story.found(), ['admitted'])
})

t.test('a refresh token of an ended session is accepted', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.end(sidOf(token))
  story.refresh('a', 0, 1)
  t.strictSame(story.found(), ['resurrected'])
  t.strictSame(story.found({ loss: 'accept' }), ['resurrected'], 'without a loss nothing is excused')
})

t.test('a session from before a `before` is refreshed', async (t) => {
  const story = new Story()
  const { iat } = story.login('a')
  story.now += 10_000
  story.end({ kind: 'sub', sub: 'ada', before: iat + 1 })
  story.refresh('a', 0, 1)
  t.strictSame(story.found(), [], 'the record may be a second younger than the token')
  story.end({ kind: 'sub', sub: 'ada', before: iat + 5 })
  story.refresh('a', 1, 2)
  t.strictSame(story.found(), ['resurrected'])
})

t.test('one refresh token has two successors', async (t) => {
  const story = new Story()
  story.login('a')
  story.refresh('a', 0, 1)
  story.refresh('a', 0, 1)
  t.strictSame(story.found(), [], 'a retry is given the same')
  story.refresh('a', 0, 2)
  t.strictSame(story.found(), ['two successors'])
})

t.test('theft ends the session, and only theft may be called so', async (t) => {
  const reused = { status: 401, code: 'refresh_token_reused' }
  const story = new Story()
  const token = story.login('a')
  story.refresh('a', 0, 1)
  story.refresh('a', 0, undefined, reused)
  t.strictSame(story.found(), ['spurious reuse'], 'within the grace')
  story.me(token, 401)
  t.strictSame(story.found(), ['spurious reuse'])
  story.me(token)
  t.strictSame(story.found(), ['spurious reuse', 'admitted'], 'admitted after a theft')

  const late = new Story()
  late.login('a')
  late.refresh('a', 0, undefined, { status: undefined })
  late.now += 4_000
  late.refresh('a', 0, undefined, reused)
  t.strictSame(late.found(), [], 'the lost answer was longer ago than the grace')

  const grandparent = new Story()
  grandparent.login('a')
  grandparent.refresh('a', 0, 1)
  grandparent.refresh('a', 1, 2)
  grandparent.refresh('a', 0, undefined, reused)
  t.strictSame(grandparent.found(), [], 'the successor had been used')

  const first = new Story()
  first.login('a')
  first.refresh('a', 0, undefined, reused)
  t.strictSame(first.found(), ['spurious reuse'], 'the first use')
})

t.test('a good token is refused, but for one that has expired', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.me(token, 401)
  story.refresh('a', 0, undefined, { status: 401, code: 'session_ended' })
  story.end(sidOf(token), { status: 401 })
  t.strictSame(story.found(), ['spurious refusal', 'spurious refusal', 'spurious refusal'])
  const old = new Story()
  const expiring = old.login('a')
  old.now += 900_000
  old.me(expiring, 401)
  t.strictSame(old.found(), [])
})

t.test('a clock that is ahead excuses an expiry, on its instance and meanwhile', async (t) => {
  const story = new Story()
  const token = story.login('a')
  const begunAt = story.now
  story.me(token, 401)
  story.faults.push({ name: 'clock', begunAt, endedAt: story.now, instance: 0, clock: 1_200_000 })
  t.strictSame(story.found(), [])
  story.step({ bearer: token, instance: 1 }, 401)
  story.now += 10
  story.me(token, 401)
  t.strictSame(story.found(), ['spurious refusal', 'spurious refusal'])
})

t.test(
  'a loss of data excuses refusals and forgotten rotations, and an admission only with accept',
  async (t) => {
    const story = new Story()
    const [ended, token] = [story.login('a'), story.login('b')]
    story.end(sidOf(ended))
    story.refresh('b', 0, 1)
    story.faults.push({ name: 'FLUSHALL', begunAt: story.now, endedAt: story.now + 5, loses: true })
    story.now += 10
    story.me(token, 401)
    story.refresh('b', 0, 2)
    story.me(ended)
    for (const loss of ['reject', 'heal'] as const) t.strictSame(story.found({ loss }), ['admitted'])
    t.strictSame(story.found({ loss: 'accept' }), [])
    const later = story.login('c')
    story.end(sidOf(later))
    story.me(later)
    t.strictSame(story.found({ loss: 'accept' }), ['admitted'], 'what ended after the loss is not excused')
  },
)

t.test('a living session that its owner cannot end', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.step({ bearer: token, ends: sidOf(token) }, 404)
  t.strictSame(story.found(), ['cannot be ended'])
})

t.test('other statuses are unexpected; a 503 is explained by a fault that is near', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.me(token, 500)
  story.me(token, 429)
  t.strictSame(story.found(), ['unexpected', 'unexpected'])
  const refused = story.me(token, 503)
  t.strictSame(story.found(), ['unexpected', 'unexpected'], '503 is counted, not a violation')
  t.ok(isUnexplained(refused, []))
  t.ok(isUnexplained(refused, [{ name: 'x', begunAt: refused.completedAt + 1, endedAt: 1e6 }]))
  t.notOk(isUnexplained(refused, [{ name: 'x', begunAt: 0, endedAt: refused.invokedAt - 100 }]))
})
