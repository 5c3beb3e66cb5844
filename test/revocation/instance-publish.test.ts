import t from 'tap'
import { LAPSE, place, Rig, sid, WALL } from '../support/replica-instance.js'

/** An instance that had applied these, and has then read another epoch's log to its end. */
function survivor(entries: ReturnType<typeof sid>[], settings = {}) {
  const rig = new Rig(settings)
  rig.sync({ entries, last: place(9) })
  rig.sync({ epoch: 'epoch-two-2', settled: false, since: WALL + 6_000, epochPrefixes: ['epoch-tw'] })
  return rig
}

const TWO = { epoch: 'epoch-two-2', settled: false, since: WALL + 6_000, epochPrefixes: ['epoch-tw'] }

t.test(
  'entries that the log lacks are published page by page, each read back before it counts',
  async (t) => {
    const rig = survivor(['a1', 'b2', 'c3'].map((id) => sid(id)))
    const { generation } = rig.instance
    const published: string[] = []
    for (let position = 20; rig.instance.isReviewing; position += 1) {
      const page = rig.instance.publish()
      if (page.length === 0) continue
      t.ok(page.length <= 2, 'no more than a page')
      t.notOk(rig.instance.isReviewing)
      t.strictSame(rig.instance.publish(), page, 'a page that wasn’t written comes again')
      rig.instance.onPublish(
        generation,
        rig.written({ epoch: 'epoch-two-2', position: place(position) }),
        rig.now,
      )
      t.strictSame(rig.instance.publish(), [], 'one that is, is to be read back')
      published.push(...page.map(({ id }) => id))
      rig.sync(TWO)
      rig.advance(LAPSE)
      t.equal(rig.instance.sync(rig.now).request.settle, false, 'something isn’t read back')
      rig.sync({ ...TWO, entries: [...page] as ReturnType<typeof sid>[], last: place(position) })
    }
    t.strictSame(published.toSorted(), ['a1', 'b2', 'c3'])
    t.equal(rig.instance.size, 3, 'the second map is empty')
    const { request } = rig.instance.sync(rig.now)
    t.equal(request.settle, true)
    t.strictSame(
      request.vouch,
      { since: WALL - 60_000, epochPrefixes: ['epoch-on'] },
      'what it knew of the former epoch',
    )
  },
)

t.test('entries that the log has in full aren’t published, shorter-lived ones are', async (t) => {
  const rig = new Rig()
  rig.sync({ entries: [sid('a1'), sid('b2')], last: place(9) })
  rig.sync({ ...TWO, entries: [sid('a1'), sid('b2', WALL + 5_000)], last: place(5) })
  t.strictSame(rig.instance.publish(), [sid('b2')])
})

t.test('an entry with a capped `until` counts as published and is in force as long as before', async (t) => {
  const rig = survivor([sid('s1', WALL + 800_000)])
  t.equal(rig.instance.publish().length, 1)
  rig.instance.onPublish(
    rig.instance.generation,
    rig.written({ epoch: 'epoch-two-2', position: place(20) }),
    rig.now,
  )
  rig.sync({ ...TWO, entries: [sid('s1', WALL + 1_000)], last: place(20) })
  t.strictSame(rig.instance.publish(), [], 'it isn’t tried for ever')
  t.equal(rig.instance.isReviewing, false)
  rig.advance(LAPSE)
  t.equal(rig.instance.sync(rig.now).request.settle, true)
  rig.advance(5_000)
  rig.sync({ ...TWO, settled: true })
  t.equal(rig.decide(rig.token({ jti: 'epoch-tw.j1' })), 'sid')
})

t.test('expired entries aren’t published', async (t) => {
  const rig = survivor([sid('s1', WALL + 3_000)])
  rig.advance(30_000)
  rig.sync(TWO)
  t.strictSame(rig.instance.publish(), [])
})

t.test('nothing is published before the log was read to its end', async (t) => {
  const rig = new Rig()
  rig.sync({ entries: [sid('s1')], last: place(9) })
  rig.sync({ ...TWO, more: true, last: place(1) })
  t.strictSame(rig.instance.publish(), [])
  rig.sync(TWO)
  t.equal(rig.instance.publish().length, 1)
})

t.test(
  'a publish reply from an epoch that was left is ignored, and one from a new epoch is entered',
  async (t) => {
    const rig = survivor([sid('s1')])
    rig.instance.publish()
    const { generation } = rig.instance
    rig.instance.onPublish(generation, rig.written({ epoch: 'epoch-three', position: place(99) }), rig.now)
    t.equal(rig.instance.epoch, 'epoch-three')
    rig.sync({ ...TWO, epoch: 'epoch-three' })
    t.equal(rig.instance.publish().length, 1, 'it is to be published there')
    rig.instance.onPublish(generation, rig.written({ epoch: 'epoch-two-2', position: place(20) }), rig.now)
    t.equal(rig.instance.epoch, 'epoch-three')
    t.equal(rig.instance.publish().length, 1, 'and still is')
  },
)

t.test('a survivor vouches once, after W or in a settled epoch, and only with `heal`', async (t) => {
  for (const onLostHistory of ['reject', 'accept'] as const) {
    const rig = survivor([], { onLostHistory })
    rig.instance.publish()
    rig.advance(LAPSE)
    t.equal(rig.instance.sync(rig.now).request.vouch, undefined, onLostHistory)
  }
  const rig = survivor([])
  rig.instance.publish()
  t.equal(rig.instance.sync(rig.now).request.vouch, undefined, 'too early')
  rig.sync({ ...TWO, settled: true })
  const lost = rig.instance.sync(rig.now)
  t.ok(lost.request.vouch)
  t.ok(rig.instance.sync(rig.now).request.vouch, 'again, as long as no answer has come')
  rig.answer(lost, { ...TWO, settled: true })
  t.equal(rig.instance.sync(rig.now).request.vouch, undefined)
})

t.test('an instance that never had a lease doesn’t vouch', async (t) => {
  const rig = new Rig()
  rig.sync({ settled: false })
  rig.sync(TWO)
  rig.instance.publish()
  rig.advance(LAPSE)
  t.equal(rig.instance.sync(rig.now).request.vouch, undefined)
})
