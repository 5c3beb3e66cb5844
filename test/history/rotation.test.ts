/** Histories written by hand: what must not happen to refresh tokens is found, and what is legal passes. */
import t from 'tap'
import { Story, sidOf } from './story.js'

t.test('found: a refresh token of an ended session is accepted', async (t) => {
  const story = new Story()
  const token = story.login('a')
  story.end(sidOf(token))
  story.refresh('a', 0, 1)
  t.strictSame(story.found(), ['resurrected'])
  t.strictSame(story.found({ loss: 'accept' }), ['resurrected'], 'without a loss nothing is excused')
})

t.test('found: a session older than the `before` of a revocation is refreshed', async (t) => {
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

t.test('found: one refresh token has two successors', async (t) => {
  const story = new Story()
  story.login('a')
  story.refresh('a', 0, 1)
  story.refresh('a', 0, 1)
  t.strictSame(story.found(), [], 'a retry is given the same')
  story.refresh('a', 0, 2)
  t.strictSame(story.found(), ['two successors'])
})

t.test('theft ends the session, and found: theft reported without reuse', async (t) => {
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

t.test('allowed: a request that its client abandoned is handled late, as theft', async (t) => {
  const story = new Story()
  story.login('a')
  story.refresh('a', 0, undefined, { status: undefined })
  story.refresh('a', 0, 1)
  story.refresh('a', 1, 2)
  story.refresh('a', 2, undefined, { status: 401, code: 'session_ended' })
  t.strictSame(story.found(), [])

  const alone = new Story()
  alone.login('a')
  alone.refresh('a', 0, undefined, { status: undefined })
  alone.refresh('b', 0, undefined, { status: undefined })
  const token = alone.login('c')
  alone.me(token, 401)
  t.strictSame(alone.found(), ['spurious refusal'], 'nobody else has used its token')
})
