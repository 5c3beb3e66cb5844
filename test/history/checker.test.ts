/** Histories written by hand: each breach is found, and what is legal passes. */
import t from 'tap'
import { isUnexplained } from './checker.js'
import type { AccessToken, Scope } from './history.js'
import { Story, sidOf } from './story.js'

t.test(
  'found: a token admitted after its session, its subject, everything or itself was revoked',
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

t.test('allowed: a request that began before the end had responded is admitted', async (t) => {
  const story = new Story()
  const token = story.login('a')
  const { completedAt } = story.end(sidOf(token))
  story.step({ bearer: token }, 200, { invokedAt: completedAt - 1, completedAt: completedAt + 50 })
  t.strictSame(story.found(), [])
  story.step({ bearer: token }, 200, { invokedAt: completedAt + 1, completedAt: completedAt + 50 })
  t.strictSame(story.found(), ['admitted'])
})

t.test('a 404 from behind the guard counts as an admission', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.end(sidOf(token))
  story.step({ bearer: token, ends: sidOf(token) }, 404)
  t.strictSame(story.found(), ['admitted'])
})

t.test('a failed end promises nothing, but may have happened', async (t) => {
  for (const status of [503, undefined]) {
    const story = new Story()
    const token = story.login('a')
    story.end(sidOf(token), { status })
    story.me(token, 200)
    story.me(token, 401)
    t.strictSame(story.found(), [], `after ${status}`)
  }
})

t.test('“everywhere” covers sessions whose own end had failed', async (t) => {
  const story = new Story()
  const [first, second] = [story.login('a'), story.login('b')]
  story.end(sidOf(first), { status: 503 })
  story.everywhere(second)
  story.me(first)
  t.strictSame(story.found(), ['admitted'])
})

t.test('“everywhere” covers the session of its caller, unless it is kept', async (t) => {
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

t.test('“everywhere” doesn’t cover other subjects or later logins', async (t) => {
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

t.test('“everywhere” may or may not end a concurrent login', async (t) => {
  const story = new Story()
  const mine = story.login('a')
  const { invokedAt, completedAt } = story.everywhere(mine)
  const beside = story.login('b', 'ada', { invokedAt: invokedAt + 1, completedAt: completedAt + 5 })
  story.me(beside)
  story.me(beside, 401)
  t.strictSame(story.found(), [])
})

t.test('found: a refresh concurrent with an end leaves a working token', async (t) => {
  const story = new Story()
  const token = story.login('a')
  const { invokedAt, completedAt } = story.end(sidOf(token))
  const racing = story.refresh('a', 0, 1, { invokedAt: invokedAt + 1, completedAt: completedAt + 9 })
  t.strictSame(story.found(), [])
  story.me(racing.obtained!.access)
  t.strictSame(story.found(), ['admitted'])
})

t.test('found: a valid token that hasn’t expired is refused', async (t) => {
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

t.test('allowed: expiry by a clock that is ahead, on that instance and at that time', async (t) => {
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
  'allowed after a loss of data: refusals and forgotten rotations, and with accept an admission',
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
    story.now += 3_000 // by now every instance has noticed the loss
    const later = story.login('c')
    story.end(sidOf(later))
    story.me(later)
    t.strictSame(story.found({ loss: 'accept' }), ['admitted'], 'what ended after the loss is not excused')
  },
)

t.test('found: an active session that its owner can’t end', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.step({ bearer: token, ends: sidOf(token) }, 404)
  t.strictSame(story.found(), ['cannot be ended'])
})

t.test('other statuses are unexpected, and a 503 needs a fault near in time', async (t) => {
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

t.test('allowed: a clock that is behind refuses a token that is more than 2 s ahead', async (t) => {
  const story = new Story()
  const { iat, ...token } = story.login('a')
  story.faults.push({ name: 'clock', begunAt: 0, endedAt: 1e6, instance: 0, clock: -1_900 })
  story.me({ ...token, iat: iat + 2 }, 401)
  t.strictSame(story.found(), [])
  story.me({ ...token, iat }, 401)
  t.strictSame(story.found(), ['spurious refusal'])
})

t.test('allowed without `waitReplicas` only: admissions after a frozen primary thaws', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.end(sidOf(token))
  story.faults.push({ name: 'primary frozen', begunAt: 0, endedAt: story.now + 100, thaws: true })
  story.me(token)
  t.strictSame(story.found({ thawed: true }), [])
  t.strictSame(story.found(), ['admitted'])
  story.now += 1_000
  story.me(token)
  t.strictSame(story.found({ thawed: true }), ['admitted'], 'when all are ready again')
})
