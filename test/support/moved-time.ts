/**
 * Moves the time of the test's process, and of the Redis servers that it has started for that, so that a test of days
 * takes no time. The clocks are those of the whole process, so a file with such tests must run them one after another.
 * Timers don't move: a token expires by the clock, but a `setTimeout` still takes as long as before.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { fakeClock, skip as noFaketime } from './fake-clock.js'
import type { FakeClock } from './fake-clock.js'
import { startRedis } from './redis-server.js'
import type { OwnRedis } from './redis-server.js'
import type { Scope } from './scope.js'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** The reason to skip a test that moves the time of a Redis, for `t.test`, or `false`. */
export const skipWithRedis =
  noFaketime || (process.env['TEST_REDIS_DOCKER'] !== undefined && 'Redis runs in a container')

const trueDate = Date.now
const truePerformance = performance.now.bind(performance)
const redisClocks = new Set<FakeClock>()
let ahead = 0

/**
 * Starts a Redis whose clock moves with the time of this process. The test must be skipped if `skipWithRedis` says so.
 *
 * @example
 * ```ts
 * t.test('after a day', { skip: skipWithRedis }, async (t) => {
 *   const { url } = await startMovedRedis(t)
 *   const app = createServer({ store: url })
 *   await moveTime(t, 1 * DAY)
 *   await untilReady(app)
 * })
 * ```
 */
export async function startMovedRedis(t: Scope): Promise<OwnRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-clock-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const clock = await fakeClock(directory, ahead)
  // jemalloc, with which Debian links Redis, reads the time before libfaketime can work. libc's allocator doesn't.
  const redis = await startRedis(t, {
    env: { ...clock.env, LD_PRELOAD: `${clock.env['LD_PRELOAD']} libc.so.6` },
  })
  redisClocks.add(clock)
  t.teardown(() => void redisClocks.delete(clock))
  return redis
}

/**
 * Moves the time forward by so many milliseconds, and says so in the test's output. The time never moves back, because an
 * application that is still open would wait for so long. An instance has no lease just after a move, as after a machine
 * was suspended, so wait for `untilReady`.
 */
export async function moveTime(t: Pick<Test, 'comment'>, milliseconds: number): Promise<void> {
  ahead += milliseconds
  Date.now = () => trueDate() + ahead
  performance.now = () => truePerformance() + ahead
  await Promise.all([...redisClocks].map((clock) => clock.set(ahead)))
  t.comment(`${milliseconds / SECOND} s later`)
}

/** Resolves when the instance can decide about tokens, such as after `moveTime`. */
export async function untilReady(app: {
  readonly portcullis: { isReady(): Promise<boolean> }
}): Promise<void> {
  const deadline = truePerformance() + 15 * SECOND
  while (!(await app.portcullis.isReady())) {
    if (truePerformance() > deadline) throw new Error('the instance got no lease within 15 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
