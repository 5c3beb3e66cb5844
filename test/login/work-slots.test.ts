import t from 'tap'
import { WorkSlots } from '../../src/login/work-slots.js'
import { outcomeOf } from '../support/sessions.js'

/** Work that ends when it is told to. */
function work() {
  let end!: () => void
  let fail!: (error: Error) => void
  const done = new Promise<void>((resolve, reject) => ([end, fail] = [resolve, reject]))
  return { end, fail, done }
}

/** Lets everything that can go on, go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

t.test('no more run at once than there are slots, and the rest come in their order', async (t) => {
  const slots = new WorkSlots(3, 100)
  const works = Array.from({ length: 20 }, work)
  const begun: number[] = []
  let running = 0
  let most = 0
  const runs = works.map(({ done }, i) =>
    slots.run(async () => {
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

t.test('beyond the queue it is overloaded at once, and works again when there is room', async (t) => {
  const slots = new WorkSlots(1, 2)
  const works = [work(), work(), work()]
  const runs = works.map(({ done }) => slots.run(() => done))
  await settle()
  await t.rejects(
    slots.run(async () => t.fail('it ran')),
    { code: 'overloaded', statusCode: 503, headers: { 'retry-after': '1' } },
  )
  works[0]!.end()
  await settle()
  const late = slots.run(async () => 'late')
  for (const { end } of works) end()
  await Promise.all(runs)
  t.equal(await late, 'late')
})

t.test('without a queue only the slots are there', async (t) => {
  const slots = new WorkSlots(1, 0)
  const one = work()
  const run = slots.run(() => one.done)
  t.equal(await outcomeOf(() => slots.run(async () => {})), 'overloaded')
  one.end()
  await run
  t.equal(await outcomeOf(() => slots.run(async () => {})), 'good')
})

t.test('work that fails, at once or later, gives its slot back', async (t) => {
  const slots = new WorkSlots(1, 10)
  for (let i = 0; i < 5; i += 1) {
    const failing = work()
    const run = slots.run(() => failing.done)
    const waiting = slots.run(async () => i)
    failing.fail(new Error('later'))
    await t.rejects(run, { message: 'later' })
    t.equal(await waiting, i)
    const thrown = slots.run(() => {
      throw new Error('at once')
    })
    await t.rejects(thrown, { message: 'at once' })
  }
  const [one, two] = [work(), work()]
  const begun: string[] = []
  const runs = [one, two].map(({ done }, i) =>
    slots.run(async () => {
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
