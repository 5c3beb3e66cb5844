/**
 * Instances with a leased replica: real `portcullis serve` processes that share their keys, and what is tried on
 * them.
 */
import type { Test } from 'tap'
import type { Answer, GatewayProcess, Overrides, Tokens } from './gateway-process.js'
import { call, home, logIn, serveGateway, soon } from './gateway-process.js'
import type { Scope } from './redis.js'

/** L */
export const LEASE_MILLISECONDS = 1_000
/** W = L + m */
export const LAPSE_MILLISECONDS = 1_100
/** The longest that a revoke may take: 2W + 1 s, and a moment, as the machine has other things to do. */
export const BARRIER_MILLISECONDS = 3_200 + 150
/** Any other answer. */
export const ANSWER_MILLISECONDS = 2_000
/** From a writable primary to the first lease. */
export const RECOVERY_MILLISECONDS = 5_000

/** An admin listener, for those that revoke by it. */
export const ADMIN = { host: '127.0.0.1', port: 0, token: 'a-token-for-the-admin-listener-of-tests' }

export interface Instance extends GatewayProcess {
  /** SIGSTOP. */
  freeze(): Promise<void>
  /** SIGCONT. */
  thaw(): void
}

/** Starts an instance; those that share a directory accept each other's tokens. */
export async function startInstance(
  t: Scope,
  directory: string,
  overrides: Overrides,
  env: NodeJS.ProcessEnv = {},
): Promise<Instance> {
  const rateLimit = { login: { perAccount: { successes: 100_000 }, perAddress: { successes: 100_000 } } }
  const settings = {
    tokens: { access: '15m' },
    sessions: { perSubject: 0 },
    rateLimit,
    // For `readiness`.
    admin: { host: '127.0.0.1', port: 0 },
    ...overrides,
  }
  const gateway = await serveGateway(t, settings, directory, env)
  const pid = Number(gateway.records()[0]!['pid'])
  return {
    ...gateway,
    async freeze() {
      process.kill(pid, 'SIGSTOP')
      await soon(`process ${pid} stands still`, async () => !(await answersWithin(gateway.url, 100)))
    },
    thaw: () => void process.kill(pid, 'SIGCONT'),
  }
}

/** Starts an instance a store URL, which may be several ways to one store; all have a lease. */
export async function startInstances(
  t: Scope,
  stores: readonly string[],
  overrides: Overrides = {},
  directory?: string,
): Promise<Instance[]> {
  const shared = directory ?? (await home(t))
  const starting = stores.map((store) => startInstance(t, shared, { ...overrides, store }))
  const instances = await Promise.all(starting)
  await untilReady(instances)
  return instances
}

async function answersWithin(base: string, milliseconds: number): Promise<boolean> {
  return fetch(`${base}/healthz`, { signal: AbortSignal.timeout(milliseconds) }).then(
    () => true,
    () => false,
  )
}

/** A request that needs nothing but the verdict. */
export const guarded = (instance: Pick<Instance, 'url'>, token: string): Promise<Answer> =>
  call(instance.url, 'GET', '/auth/me', { token })

export const logout = (instance: Pick<Instance, 'url'>, token: string): Promise<Answer> =>
  call(instance.url, 'POST', '/auth/logout', { token })

/** By the admin listener (see ADMIN). */
export const revoke = (instance: Instance, what: object): Promise<Answer> =>
  call(instance.adminUrl!, 'POST', '/api/revocations', { json: what, token: ADMIN.token })

export const refresh = (instance: Pick<Instance, 'url'>, refresh_token: string): Promise<Answer> =>
  call(instance.url, 'POST', '/auth/refresh', { json: { refresh_token } })

export const readyz = (instance: Pick<Instance, 'url'>): Promise<Answer> =>
  call(instance.url, 'GET', '/readyz')

/** The state of Redis and of the replica, by the admin listener. */
export const readiness = (instance: Pick<Instance, 'adminUrl'>): Promise<Answer> =>
  call(instance.adminUrl!, 'GET', '/readyz')

/** Begins sessions, on the instances in turn. */
export async function logInOften(instances: readonly Instance[], count: number): Promise<Tokens[]> {
  const all: Tokens[] = []
  while (all.length < count) {
    const some = Array.from({ length: Math.min(12, count - all.length) }, (_, i) =>
      logIn(instances[i % instances.length]!.url),
    )
    all.push(...(await Promise.all(some)))
  }
  return all
}

/** Waits until all are ready; gives the time it took. */
export async function untilReady(
  instances: readonly Pick<Instance, 'url'>[],
  within: number = RECOVERY_MILLISECONDS,
): Promise<number> {
  const begunAt = performance.now()
  const areReady = async () =>
    (await Promise.all(instances.map(readyz))).every(({ status }) => status === 200)
  await soon('all are ready', areReady, within)
  return performance.now() - begunAt
}

/**
 * A logout that is repeated, as its caller would, while it answers 503; gives how often, and the time of the last
 * one.
 */
export async function logoutAtLast(
  instance: Instance,
  token: string,
): Promise<{ refusals: number; milliseconds: number }> {
  for (let refusals = 0; ; refusals += 1) {
    const { status, text, milliseconds } = await logout(instance, token)
    if (status === 204) return { refusals, milliseconds }
    if (status !== 503) throw new Error(`logout answered ${status}: ${text}`)
    if (refusals > 50) throw new Error('logout answered 503 fifty times')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Median and 99th percentile, for people. */
export function tell(t: Test, what: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  t.comment(
    `${what}, ms: p50 ${at(0.5).toFixed(1)}, p99 ${at(0.99).toFixed(1)}, most ${at(1).toFixed(0)} (${sorted.length})`,
  )
}
