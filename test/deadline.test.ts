import t from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import { stat } from 'node:fs'
import { promisify } from 'node:util'
import { withinDeadline } from '../src/deadline.js'

t.test('work that finishes in time returns its result', async (t) => {
  t.equal(await withinDeadline(Promise.resolve('done'), 1_000), 'done')
  const error = new Error('its own')
  await t.rejects(withinDeadline(Promise.reject(error), 1_000), error)
})

t.test('late work is store_unavailable, although it continues', async (t) => {
  let finish!: (value: string) => void
  const work = new Promise<string>((resolve) => (finish = resolve))
  await t.rejects(withinDeadline(work, 30), {
    code: 'store_unavailable',
    statusCode: 503,
    reason: 'no response from the store within 30 ms',
    headers: { 'retry-after': '1' },
  })
  finish('done')
  t.equal(await work, 'done')
})

t.test('work that fails after its deadline has no effect', async (t) => {
  const unhandled: unknown[] = []
  const listener = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', listener)
  t.teardown(() => process.off('unhandledRejection', listener))
  let failLate!: (error: Error) => void
  const work = new Promise((_resolve, reject) => (failLate = reject))
  await t.rejects(withinDeadline(work, 10), { code: 'store_unavailable' })
  failLate(new Error('too late'))
  await turn() // Node reports unhandled rejections before the next turn of its loop
  t.same(unhandled, [])
})

t.test('a stall of the event loop doesn’t count as the work’s time', async (t) => {
  // Behind this the event loop runs timers first, and reads results then.
  await new Promise((resolve) => setImmediate(resolve))
  const work = promisify(stat)('.')
  const watched = withinDeadline(work, 50)
  // The result of `stat` is there meanwhile; this process can't read it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  t.equal((await watched).isDirectory(), true)
})

t.test('no timer is left running', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  await withinDeadline(Promise.resolve(), 60_000)
  await t.rejects(withinDeadline(Promise.reject(new Error('x')), 60_000))
  t.equal(timers(), before)
})
