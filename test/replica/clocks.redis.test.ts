/** Wall clocks that are wrong, for a moment or within τ for ever, in real processes. */
import t from 'tap'
import { home, isRefused, logIn, soon } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'
import { fakeClock, skip } from '../support/fake-clock.js'
import {
  guarded,
  logInOften,
  logout,
  readiness,
  readyz,
  startInstance,
  untilReady,
} from '../support/gateway-instances.js'

t.jobs = 2
t.setTimeout(120_000)

const MINUTE = 60_000

for (const [name, ahead] of [
  ['20 minutes ahead', 20 * MINUTE],
  ['20 minutes behind', -20 * MINUTE],
] as const) {
  t.test(`a clock that was ${name} for 0.3 s: revoked tokens stay refused`, { skip }, async (t) => {
    const [redis, directory] = [await startRedis(t), await home(t)]
    const clock = await fakeClock(directory, 0)
    const settings = { store: redis.url }
    const right = await startInstance(t, directory, settings)
    const wrong = await startInstance(t, directory, settings, clock.env)
    await untilReady([right, wrong])
    const [ended, alive] = await logInOften([right], 2)
    t.equal((await logout(right, ended!.access_token)).status, 204)
    isRefused(t, await guarded(wrong, ended!.access_token), 401, 'session_ended')

    await clock.set(ahead)
    await soon('the clock is seen to be wrong', async () => (await readyz(wrong)).status === 503)
    await soon('Redis refused it for its clock', async () =>
      wrong
        .records()
        .some(({ event, reason }) => event === 'sync_failed' && String(reason).includes('CLOCK')),
    )
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.not((await guarded(wrong, ended!.access_token)).status, 200)
    await clock.set(0)
    await untilReady([wrong])
    t.match(await readiness(wrong), { body: { revocation: { state: 'LEASED', entries: 1 } } })
    isRefused(t, await guarded(wrong, ended!.access_token), 401, 'session_ended')
    t.equal((await guarded(wrong, alive!.access_token)).status, 200)
  })
}

for (const [mints, verifies] of [
  [0, -1_500],
  [1_000, -1_000],
  [1_900, -1_900],
  [-1_000, 1_000],
] as const) {
  const name = `minted ${mints} ms ahead, verified ${verifies} ms ahead: a good token is admitted at once`
  t.test(name, { skip }, async (t) => {
    const [redis, directory] = [await startRedis(t), await home(t)]
    const start = async (ahead: number) =>
      startInstance(t, directory, { store: redis.url }, (await fakeClock(directory, ahead)).env)
    const minting = await start(mints)
    const verifying = await start(verifies)
    await untilReady([minting, verifying])
    // Whatever part of a second `iat` drops.
    for (let round = 0; round < 6; round += 1) {
      const before = Date.now()
      const { access_token } = await logIn(minting.url)
      const { iat } = JSON.parse(Buffer.from(access_token.split('.')[1]!, 'base64url').toString()) as {
        iat: number
      }
      const isWrong = iat * 1_000 > before + mints - 1_000 && iat * 1_000 <= Date.now() + mints
      t.ok(isWrong, `the clock is wrong: iat is ${iat * 1_000 - before} ms ahead`)
      t.equal((await guarded(verifying, access_token)).status, 200)
      await new Promise((resolve) => setTimeout(resolve, 170))
    }
  })
}
