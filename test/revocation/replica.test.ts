import t from 'tap'
import { EVICTED } from '../../src/revocation/entry.js'
import type { DenylistEntry } from '../../src/revocation/entry.js'
import { Replica } from '../../src/revocation/replica/replica.js'

const NOW = 1_800_000_000_000
const UNTIL = NOW + 60_000
const token = { jti: 'mark1234.j1', sid: 's1', sub: 'anna', kid: 'k1', iat: NOW / 1000 }

function replicaOf(...entries: DenylistEntry[]): Replica {
  const replica = new Replica()
  for (const one of entries) replica.apply(one)
  return replica
}

function entry(kind: DenylistEntry['kind'], id: string, before = 0, until = UNTIL): DenylistEntry {
  return { kind, id, before, until }
}

t.test('each kind matches its own claim and nothing else', async (t) => {
  for (const [kind, id] of [
    ['jti', token.jti],
    ['sid', 's1'],
    ['kid', 'k1'],
  ] as const) {
    t.equal(replicaOf(entry(kind, id)).findKind(token, NOW), kind)
    t.equal(replicaOf(entry(kind, `${id}x`)).findKind(token, NOW), undefined)
  }
  t.equal(
    replicaOf(entry('sid', token.jti), entry('jti', 's1')).findKind(token, NOW),
    undefined,
    'kinds are apart',
  )
})

t.test('`sub` and `all` match tokens issued at `before` or earlier', async (t) => {
  for (const [kind, id] of [
    ['sub', 'anna'],
    ['all', '*'],
  ] as const) {
    t.equal(replicaOf(entry(kind, id, NOW)).findKind(token, NOW), kind, 'issued just then')
    t.equal(replicaOf(entry(kind, id, NOW + 5_000)).findKind(token, NOW), kind)
    t.equal(replicaOf(entry(kind, id, NOW - 1)).findKind(token, NOW), undefined, 'issued afterwards')
  }
  t.equal(replicaOf(entry('sub', 'ben', NOW)).findKind(token, NOW), undefined)
})

t.test('two entries for one target merge to the larger `before` and `until`, in either order', async (t) => {
  const early = entry('sub', 'anna', NOW + 2_000, NOW + 10_000)
  const late = entry('sub', 'anna', NOW - 2_000, NOW + 90_000)
  for (const replica of [replicaOf(early, late), replicaOf(late, early)]) {
    t.equal(
      replica.findKind(token, NOW + 80_000),
      'sub',
      'neither its `before` nor its `until` was shortened',
    )
    t.ok(replica.covers(entry('sub', 'anna', NOW + 2_000, NOW + 90_000)))
    t.equal(replica.size, 1)
  }
})

t.test('an entry covers another one only with at least its `before` and its `until`', async (t) => {
  const replica = replicaOf(entry('sub', 'anna', NOW, UNTIL), entry('sid', 's1', 0, UNTIL))
  t.ok(replica.covers(entry('sub', 'anna', NOW, UNTIL)))
  t.ok(replica.covers(entry('sub', 'anna', NOW - 1, UNTIL - 5_000)))
  t.notOk(replica.covers(entry('sub', 'anna', NOW + 1, UNTIL)), 'an older snapshot has the smaller `before`')
  t.notOk(replica.covers(entry('sub', 'anna', NOW, UNTIL + 1_000)))
  t.notOk(replica.covers(entry('sid', 's1', 0, UNTIL + 1_000)))
  t.notOk(replica.covers(entry('sid', 's2', 0, UNTIL)))
})

t.test('an entry is in force until its time and is removed some seconds later', async (t) => {
  const replica = replicaOf(entry('sid', 's1', 0, UNTIL + 1), entry('sub', 'anna', NOW, UNTIL))
  t.equal(replica.findKind(token, UNTIL), 'sid', 'a part of a second is rounded up')
  t.equal(replica.findKind(token, UNTIL + 1_000), undefined)
  replica.expire(UNTIL)
  t.equal(replica.size, 2, 'not before')
  replica.expire(UNTIL + 20_000)
  t.equal(replica.size, 0)
  replica.apply(entry('sub', 'anna', NOW - 5_000, UNTIL + 90_000))
  t.equal(replica.findKind(token, UNTIL + 20_000), undefined, 'with its `before`')
})

t.test('entries exported from a replica match at least what was put in', async (t) => {
  const entries = [
    entry('jti', 'j', 0, UNTIL + 1),
    entry('sub', 'anna', NOW + 7, UNTIL),
    entry('all', '*', NOW, UNTIL),
  ]
  const copy = replicaOf(...replicaOf(...entries).entries())
  for (const one of entries) t.ok(copy.covers(one), one.kind)
  for (const one of entries) copy.delete(one)
  t.equal(copy.size, 0)
  t.equal(copy.findKind(token, NOW), undefined)
})

t.test(
  'an evicted session stays evicted, whatever other entries of it come, until the last one expires',
  async (t) => {
    const evicted = entry('sid', 's1', EVICTED, UNTIL)
    const plain = entry('sid', 's1', 0, UNTIL + 60_000)
    t.equal(replicaOf(plain).findKind(token, NOW), 'sid')
    for (const replica of [replicaOf(evicted, plain), replicaOf(plain, evicted)]) {
      t.equal(replica.findKind(token, NOW), 'evicted')
      replica.expire(UNTIL + 30_000)
      t.equal(replica.findKind(token, UNTIL + 30_000), 'evicted', 'the mark lives as long as the entry')
      t.strictSame([...replica.entries()], [{ ...plain, before: EVICTED }])
      replica.expire(UNTIL + 90_000)
      t.equal(replica.size, 0)
      replica.apply(entry('sid', 's1', 0, UNTIL + 120_000))
      t.equal(replica.findKind(token, UNTIL + 90_000), 'sid', 'nothing is left of the mark')
    }
  },
)

t.test('an entry of an evicted session is covered only by one with the mark', async (t) => {
  const evicted = entry('sid', 's1', EVICTED)
  const replica = replicaOf(entry('sid', 's1'), entry('sid', 's2', EVICTED))
  t.notOk(replica.covers(evicted), 'so it is published again')
  replica.apply(evicted)
  t.ok(replica.covers(evicted))
  t.ok(replica.covers(entry('sid', 's1')))
  replica.delete(evicted)
  t.equal(replica.findKind(token, NOW), undefined)
  replica.apply(entry('sid', 's1'))
  t.equal(replica.findKind(token, NOW), 'sid')
})

t.test('`before` of a sid, jti or kid has no other meaning', async (t) => {
  for (const [kind, id] of [
    ['sid', 's1'],
    ['jti', token.jti],
    ['kid', 'k1'],
  ] as const)
    for (const before of kind === 'sid' ? [2, NOW] : [EVICTED, NOW])
      t.equal(replicaOf(entry(kind, id, before)).findKind(token, NOW), kind)
})
