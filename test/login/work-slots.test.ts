import t from 'tap'
import { WorkSlots } from '../../src/login/work-slots.js'
import { outcomeOf } from '../support/sessions.js'

const ADA = { account: 'ada', address: '192.0.2.1' }

/** Work that ends when it is told to. */
function work() {
  let end!: () => void
  let fail!: (error: Error) => void
  const done = new Promise<void>((resolve, reject) => ([end, fail] = [resolve, reject]))
  return { end, fail, done }
}

/** Lets everything that can go on, go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

t.test('no more run at once than there are slots, and the rest run in order', async (t) => {
  const slots = new WorkSlots(3, 100)
  const works = Array.from({ length: 20 }, work)
  const begun: number[] = []
  let running = 0
  let most = 0
  const runs = works.map(({ done }, i) =>
    slots.run(ADA, async () => {
      begun.push(i)
      running += 1
      most = Math.max(most, running)
      await done
      running -= 1
      return i
    }),
  )
  await settle()
  t.same(begun, [0, 1, 2])
  for (const { end } of works) {
    end()
    await settle()
  }
  t.same(
    await Promise.all(runs),
    works.map((_, i) => i),
  )
  t.equal(most, 3)
  t.same(
    begun,
    works.map((_, i) => i),
  )
})

t.test('beyond the queue work is overloaded at once, and accepted again when there is room', async (t) => {
  const slots = new WorkSlots(1, 2)
  const works = [work(), work(), work()]
  const runs = works.map(({ done }) => slots.run(ADA, () => done))
  await settle()
  await t.rejects(
    slots.run(ADA, async () => t.fail('it ran')),
    { code: 'overloaded', statusCode: 503, headers: { 'retry-after': '1' } },
  )
  works[0]!.end()
  await settle()
  const late = slots.run(ADA, async () => 'late')
  for (const { end } of works) end()
  await Promise.all(runs)
  t.equal(await late, 'late')
})

t.test('without a queue there are only the slots', async (t) => {
  const slots = new WorkSlots(1, 0)
  const one = work()
  const run = slots.run(ADA, () => one.done)
  t.equal(await outcomeOf(() => slots.run(ADA, async () => {})), 'overloaded')
  one.end()
  await run
  t.equal(await outcomeOf(() => slots.run(ADA, async () => {})), 'good')
})

t.test('work that fails frees its slot', async (t) => {
  const slots = new WorkSlots(1, 10)
  for (let i = 0; i < 5; i += 1) {
    const failing = work()
    const run = slots.run(ADA, () => failing.done)
    const waiting = slots.run(ADA, async () => i)
    failing.fail(new Error('later'))
    await t.rejects(run, { message: 'later' })
    t.equal(await waiting, i)
    const thrown = slots.run(ADA, () => {
      throw new Error('at once')
    })
    await t.rejects(thrown, { message: 'at once' })
  }
  const [one, two] = [work(), work()]
  const begun: string[] = []
  const runs = [one, two].map(({ done }, i) =>
    slots.run(ADA, async () => {
      begun.push(`${i}`)
      await done
    }),
  )
  await settle()
  t.same(begun, ['0'], 'there is still just one slot')
  one.end()
  two.end()
  await Promise.all(runs)
})

/** Holds the only slot, queues logins in the order given, and gives the order in which they run or are refused. */
async function order(queue: number, origins: readonly string[]) {
  const slots = new WorkSlots(1, queue)
  const first = work()
  const running = slots.run(ADA, () => first.done)
  const served: string[] = []
  const refused: string[] = []
  const runs = origins.map((origin) => {
    const [account = '', address = ''] = origin.split(' at ')
    const run = slots.run({ account, address }, async () => void served.push(origin))
    return run.catch(() => void refused.push(origin))
  })
  await settle()
  first.end()
  await Promise.all([running, ...runs])
  return { served, refused }
}

const times = (n: number, text: string) => Array.from({ length: n }, () => text)

t.test('addresses take turns, and so do the accounts of an address', async (t) => {
  const { served } = await order(100, [
    ...times(3, 'mallory at a'),
    ...times(2, 'mallory at b'),
    'ada at a',
    'bob at c',
  ])
  t.strictSame(served, [
    'mallory at a',
    'mallory at b',
    'bob at c',
    'ada at a',
    'mallory at b',
    'mallory at a',
    'mallory at a',
  ])
})

t.test('a full queue has room for others: the newest of the largest crowd is refused', async (t) => {
  const another = await order(10, [...times(10, 'mallory at a'), 'ada at b', 'bob at a'])
  t.strictSame(another.served.slice(0, 3), ['mallory at a', 'ada at b', 'bob at a'])
  t.strictSame(another.refused, times(2, 'mallory at a'))

  const invented = Array.from({ length: 10 }, (_, n) => `user${n} at a`)
  const { served, refused } = await order(10, [...invented, 'ada at b'])
  t.strictSame(refused, ['user9 at a'])
  t.strictSame(served.slice(0, 2), ['user0 at a', 'ada at b'])
})

t.test('a full queue of logins that crowd nobody refuses one more', async (t) => {
  const { refused } = await order(3, ['ada at a', 'bob at b', 'eve at c', 'late at d', 'ada at a'])
  t.strictSame(refused, ['late at d', 'ada at a'])
})
