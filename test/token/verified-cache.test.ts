import t from 'tap'
import { VerifiedCache } from '../../src/token/verified-cache.js'

/** Tokens of one length, which differ at their ends. */
const token = (n: number) => `header.payload.${String(n).padStart(22, '0')}`
const live = (n: number, bytes = 1_000) => ({ token: token(n), n, bytes })

function filled(entries: number, count: number): VerifiedCache<ReturnType<typeof live>> {
  const tokens = new VerifiedCache<ReturnType<typeof live>>(entries)
  for (let n = 0; n < count; n += 1) tokens.set(live(n))
  return tokens
}

t.test('a cached value is returned for exactly its token', async (t) => {
  const tokens = filled(10, 1)
  t.equal(tokens.get(token(0))?.n, 0)
  t.equal(tokens.get(`other${token(0)}`), undefined, 'one that ends like it')
  t.equal(tokens.get(`Header${token(0).slice(6)}`), undefined, 'one of its length that ends like it')
  t.equal(tokens.get(token(0).slice(1)), undefined)
  t.equal(tokens.get(''), undefined)
  t.match(tokens.stats, { hits: 1, misses: 4, size: 1 })
})

t.test('a token with the same end replaces it, and is never confused with it', async (t) => {
  const tokens = filled(10, 1)
  tokens.set({ token: `other${token(0)}`, n: 7, bytes: 1 })
  t.equal(tokens.get(`other${token(0)}`)?.n, 7)
  t.equal(tokens.get(token(0)), undefined)
})

t.test('the cache never exceeds its size, and evicts the oldest first', async (t) => {
  for (const room of [0, 1, 2, 3, 100]) {
    const tokens = filled(room, 1_000)
    t.equal(tokens.stats.size, room)
    const known = Array.from({ length: 1_000 }, (_, n) => n).filter((n) => tokens.get(token(n))?.n === n)
    t.strictSame(
      known,
      Array.from({ length: room }, (_, n) => 1_000 - room + n),
    )
  }
})

t.test('as many tokens as fit are all cached', async (t) => {
  const tokens = filled(1_000, 1_000)
  for (let n = 0; n < 3_000; n += 1) if (tokens.get(token(n % 1_000)) === undefined) t.fail(String(n))
  t.match(tokens.stats, { hits: 3_000, misses: 0 })
})

t.test('a deleted token is unknown and frees its place', async (t) => {
  const tokens = filled(3, 3)
  tokens.delete({ token: `other${token(0)}`, n: 0, bytes: 1 })
  t.equal(tokens.get(token(0))?.n, 0, 'one that ends like it was not')
  tokens.delete(live(0))
  t.equal(tokens.get(token(0)), undefined)
  tokens.set(live(3))
  t.equal(tokens.get(token(1))?.n, 1)
  tokens.set(live(0))
  t.equal(tokens.get(token(1)), undefined, 'the oldest')
  t.equal(tokens.stats.size, 3)
})

t.test('a token that comes again is stored once', async (t) => {
  const tokens = filled(2, 2)
  tokens.set({ token: token(0), n: 5, bytes: 1 })
  t.equal(tokens.get(token(0))?.n, 5)
  t.equal(tokens.get(token(1))?.n, 1)
})

t.test('tokens with large claims take the place of several, so the memory is bounded, too', async (t) => {
  const tokens = filled(100, 100)
  for (let n = 100; n < 110; n += 1) tokens.set(live(n, 20_000))
  const held = Array.from({ length: 110 }, (_, n) => tokens.get(token(n))?.bytes ?? 0)
  t.ok(held.reduce((sum, bytes) => sum + bytes) <= 100 * 2_048, '2 kB each, all together')
  t.equal(held.filter((bytes) => bytes === 20_000).length, 10, 'the newest are held')
  for (let n = 200; n < 400; n += 1) tokens.set(live(n))
  t.equal(tokens.stats.size, 100, 'and give their room back')
})

t.test('a token larger than all of the room is held alone', async (t) => {
  const tokens = filled(3, 3)
  tokens.set(live(3, 1_000_000))
  t.equal(tokens.stats.size, 1)
  t.equal(tokens.get(token(3))?.n, 3)
  tokens.delete(live(3))
  for (let n = 4; n < 9; n += 1) tokens.set(live(n))
  t.equal(tokens.stats.size, 3)
})
