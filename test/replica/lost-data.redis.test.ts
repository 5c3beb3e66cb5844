/** Redis has lost data: what `onLostHistory` says is what happens, and nothing revoked is ever admitted. */
import t from 'tap'
import type { Test } from 'tap'
import type { Tokens } from '../support/gateway-process.js'
import { home, isRefused, logIn, soon } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'
import type { OwnRedis } from '../support/redis.js'
import { FAULTS, stateOf } from '../support/lost-data.js'
import type { Fault } from '../support/lost-data.js'
import type { Instance } from '../support/gateway-instances.js'
import {
  ADMIN,
  RECOVERY_MILLISECONDS,
  guarded,
  logInOften,
  logout,
  refresh,
  revoke,
  startInstance,
  startInstances,
  untilReady,
} from '../support/gateway-instances.js'
import { startTraffic } from '../support/traffic.js'

t.jobs = 3
t.setTimeout(240_000)

interface Scene {
  readonly redis: OwnRedis
  readonly directory: string
  readonly settings: Record<string, unknown>
  readonly survivors: readonly [Instance, Instance]
}

async function setUp(t: Test, onLostHistory: string): Promise<Scene> {
  const [redis, directory] = await Promise.all([startRedis(t), home(t)])
  const settings = { revocation: { onLostHistory }, admin: ADMIN }
  const instances = await startInstances(t, [redis.url, redis.url], settings, directory)
  return { redis, directory, settings, survivors: instances as unknown as Scene['survivors'] }
}

interface Sessions {
  /** Some ended before the dump that is restored, some after it; the last by its subject. */
  readonly ended: readonly Tokens[]
  readonly alive: readonly Tokens[]
}

/** Ends sessions, lets the fault strike under traffic, and waits until all are ready again. */
async function suffer(t: Test, { redis, survivors }: Scene, fault: Fault): Promise<Sessions> {
  const bob = await logIn(survivors[1].url, 'bob')
  const [alive, early, late] = [
    await logInOften(survivors, 4),
    await logInOften(survivors, 4),
    await logInOften(survivors, 4),
  ]
  const end = async (sessions: readonly Tokens[]) => {
    for (const { access_token } of sessions) t.equal((await logout(survivors[0], access_token)).status, 204)
  }
  await end(early)
  await fault.prepare(t, redis)
  await end(late)
  t.equal((await revoke(survivors[0], { sub: 'bob' })).status, 201)
  const ended = [...early, ...late, bob]
  const traffic = startTraffic(survivors, { revoked: tokensOf(ended), good: tokensOf(alive) })
  const { epoch } = await stateOf(t, redis)
  await fault.strike(t, redis)
  const isSettled = async () => {
    const now = await stateOf(t, redis)
    return now.epoch !== epoch && now.settled === '1'
  }
  await soon(
    'a new epoch is settled, so that no lease of the old one is left',
    isSettled,
    RECOVERY_MILLISECONDS,
  )
  const took = await untilReady(survivors)
  const { revoked, good, slowestMilliseconds, gapMilliseconds } = await traffic.stop()
  t.ok(Object.keys(revoked).length > 0, 'revoked tokens were tried all along')
  t.notOk(revoked['admitted'], 'and never admitted', { revoked })
  t.ok(slowestMilliseconds < 2_000)
  t.comment(`ready again after ${took.toFixed(0)} ms; ${gapMilliseconds.toFixed(0)} ms without an admission`)
  t.comment(`answers to revoked tokens ${JSON.stringify(revoked)}, to good ones ${JSON.stringify(good)}`)
  return { ended, alive }
}

const tokensOf = (sessions: readonly Tokens[]) => sessions.map(({ access_token }) => access_token)

async function areRefused(
  t: Test,
  instances: readonly Instance[],
  sessions: readonly Tokens[],
  code: string,
) {
  for (const { access_token } of sessions) {
    for (const instance of instances) isRefused(t, await guarded(instance, access_token), 401, code)
  }
}

/** Which of the sessions are admitted by all. */
async function admitted(instances: readonly Instance[], sessions: readonly Tokens[]): Promise<number> {
  const areAdmitted = sessions.map(async ({ access_token }) => {
    const answers = await Promise.all(instances.map((instance) => guarded(instance, access_token)))
    return answers.every(({ status }) => status === 200)
  })
  return (await Promise.all(areAdmitted)).filter(Boolean).length
}

async function newSessionsWork(t: Test, [a, b]: Scene['survivors']): Promise<void> {
  const { access_token, refresh_token } = await logIn(a.url)
  t.equal((await guarded(b, access_token)).status, 200)
  t.equal((await refresh(b, refresh_token)).status, 200)
  t.equal((await logout(b, access_token)).status, 204)
  isRefused(t, await guarded(a, access_token), 401, 'session_ended')
}

for (const onLostHistory of ['heal', 'accept']) {
  t.test(`${onLostHistory}: revoked tokens stay refused, and other tokens are admitted again`, async (t) => {
    const scene = await setUp(t, onLostHistory)
    const { survivors, redis, directory, settings } = scene
    for (const fault of FAULTS) {
      await t.test(fault.name, async (t) => {
        const { ended, alive } = await suffer(t, scene, fault)
        await soon('good tokens are good again', async () => (await admitted(survivors, alive)) === 4, 1_000)
        const newcomer = await startInstance(t, directory, { ...settings, store: redis.url })
        await untilReady([newcomer])
        await areRefused(t, [...survivors, newcomer], ended.slice(0, -1), 'session_ended')
        await areRefused(t, [...survivors, newcomer], ended.slice(-1), 'token_revoked')
        t.equal(await admitted([newcomer], alive), 4)
        for (const { refresh_token } of ended)
          t.equal((await refresh(newcomer, refresh_token)).body.code, 'session_ended')
        await newSessionsWork(t, survivors)
        await newcomer.stop()
      })
    }
  })
}

t.test('reject: everybody must log in again', async (t) => {
  const scene = await setUp(t, 'reject')
  const { survivors, redis, directory, settings } = scene
  for (const fault of FAULTS) {
    await t.test(fault.name, async (t) => {
      const { ended, alive } = await suffer(t, scene, fault)
      const newcomer = await startInstance(t, directory, { ...settings, store: redis.url })
      await untilReady([newcomer])
      await areRefused(t, [...survivors, newcomer], alive, 'history_lost')
      t.equal(await admitted([newcomer, ...survivors], ended), 0)
      await newSessionsWork(t, survivors)
      const code = fault.losesSessions ? 'session_ended' : 'reauthentication_required'
      for (const { refresh_token } of alive) isRefused(t, await refresh(newcomer, refresh_token), 401, code)
      for (const { refresh_token } of ended) t.equal((await refresh(newcomer, refresh_token)).status, 401)
      await newcomer.stop()
    })
  }
})
