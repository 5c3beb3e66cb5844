import t from 'tap'
import { ExpiringMap } from '../../src/revocation/replica/expiring-map.js'

t.test('an id is kept until the latest expiry that was given for it', async (t) => {
  const map = new ExpiringMap()
  map.lengthen('session-1', 1_000)
  map.lengthen('session-1', 900)
  t.equal(map.get('session-1'), 1_000, 'not shortened')
  map.lengthen('session-1', 1_500)
  t.equal(map.get('session-1'), 1_500)
  t.equal(map.size, 1)
})

t.test('nothing expires early, and everything expires with its bucket', async (t) => {
  const map = new ExpiringMap()
  for (let second = 1_000; second < 1_100; second += 1) map.lengthen(`id-${second}-x`, second)
  for (let now = 990; now < 1_150; now += 1) {
    for (const id of map.expire(now)) t.ok(Number(id.slice(3, 7)) <= now, `${id} at ${now}`)
    for (let second = now + 1; second < 1_100; second += 1)
      if (second >= 1_000 && map.get(`id-${second}-x`) === undefined) t.fail(`${second} is gone at ${now}`)
  }
  t.equal(map.size, 0)
})

t.test('a lengthened id outlives its first bucket', async (t) => {
  const map = new ExpiringMap()
  map.lengthen('session-1', 1_000)
  map.lengthen('session-1', 5_000)
  t.strictSame(map.expire(2_000), [])
  t.equal(map.get('session-1'), 5_000)
  t.strictSame(map.expire(6_000), ['session-1'], 'and is reported gone once')
})

t.test('an id that was deleted and added again is kept until its new expiry', async (t) => {
  const map = new ExpiringMap()
  map.lengthen('session-1', 1_000)
  map.delete('session-1')
  t.equal(map.get('session-1'), undefined)
  map.lengthen('session-1', 3_000)
  t.strictSame(map.expire(2_000), [])
  t.equal(map.get('session-1'), 3_000)
})

t.test('all ids are found and can be deleted during iteration', async (t) => {
  const map = new ExpiringMap()
  const ids = ['*', 'ab', 'abc', ...Array.from({ length: 500 }, (_, i) => `id-${i}`)]
  for (const id of ids) map.lengthen(id, 1_000)
  const seen: string[] = []
  for (const [id] of map.entries()) {
    seen.push(id)
    map.delete(id)
  }
  t.strictSame(seen.toSorted(), ids.toSorted())
  t.equal(map.size, 0)
})
