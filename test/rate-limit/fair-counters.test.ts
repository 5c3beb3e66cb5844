import t from 'tap'
import { FairCounters } from '../../src/rate-limit/fair-counters.js'

const LIMIT = { max: 10, per: 60_000 }
const START = 1_800_000_000_000

function countTimes(counters: FairCounters, key: string, times: number, now = START): number {
  let current = 0
  for (let n = 0; n < times; n += 1) ({ current } = counters.increment(key, LIMIT, now))
  return current
}

t.test('counts in a window that begins with the first', async (t) => {
  const counters = new FairCounters(10)
  t.strictSame(counters.read('ada', START), { current: 0, ttl: 0 })
  t.strictSame(counters.increment('ada', LIMIT, START), { current: 1, ttl: 60_000 })
  t.strictSame(counters.increment('ada', LIMIT, START + 20_000), { current: 2, ttl: 40_000 })
  t.strictSame(counters.read('ada', START + 59_999), { current: 2, ttl: 1 })
  t.strictSame(counters.read('ada', START + 60_000), { current: 0, ttl: 0 })
  t.strictSame(counters.increment('ada', LIMIT, START + 60_000), { current: 1, ttl: 60_000 })
})

t.test('a flood of other names resets neither a lock-out nor a high count', async (t) => {
  const counters = new FairCounters(50)
  countTimes(counters, 'locked', 10)
  countTimes(counters, 'nearly', 9)
  for (let n = 0; n < 5_300; n += 1) counters.increment(`invented ${n}`, LIMIT, START)
  t.equal(counters.size, 50)
  t.equal(counters.read('locked', START).current, 10)
  t.equal(counters.read('nearly', START).current, 9)
  t.equal(counters.read('invented 5299', START).current, 1, 'the newest is there')
  t.equal(counters.read('invented 0', START).current, 0, 'the oldest is not')
})

t.test('where all are locked out, the oldest makes room', async (t) => {
  const counters = new FairCounters(3)
  for (const key of ['a', 'b', 'c', 'd', 'e']) countTimes(counters, key, 10)
  const left = ['a', 'b', 'c', 'd', 'e'].filter((key) => counters.read(key, START).current > 0)
  // A new counter has the lowest count of all until it has counted further.
  t.strictSame(left.length, 3)
  t.ok(left.includes('e'))
})

t.test('counters whose window has ended leave, whatever their count was', async (t) => {
  const counters = new FairCounters(20)
  for (let n = 0; n < 20; n += 1) countTimes(counters, `locked ${n}`, 10)
  const later = START + 60_000
  for (let n = 0; n < 40; n += 1) counters.increment(`new ${n}`, LIMIT, later)
  const held = Array.from({ length: 40 }, (_, n) => counters.read(`new ${n}`, later).current)
  t.equal(held.filter((count) => count === 1).length, 20, 'new ones have all of the room')
})
