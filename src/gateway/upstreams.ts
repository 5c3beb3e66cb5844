import type { SecureContext } from 'node:tls'
import type { Milliseconds } from '../clock.js'
import { UpstreamHealth } from './upstream-health.js'
import type { OnHealth } from './upstream-health.js'
import { UpstreamPool } from './http1-client/upstream-pool.js'
import { trusting, upstreamConnector } from './http1-client/upstream-socket.js'

/** A server behind the gateway, with its connections. */
export interface UpstreamServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly origin: string
  /** What its own `Host` is: `name` or `name:port`. */
  readonly host: string
  readonly pool: UpstreamPool
  /** Of the origin: shared by all that name it. */
  readonly health: UpstreamHealth
}

/** One or more servers that answer alike. */
export interface Upstream {
  /** Its origins, for the log. */
  readonly name: string
  readonly targets: readonly UpstreamServer[]
  /**
   * The next in turn that is up, or, where none is, the next in turn; none of `tried`. Undefined once all were tried.
   */
  pick(tried?: readonly UpstreamServer[]): UpstreamServer | undefined
}

export interface Upstreams {
  /**
   * An upstream of the origins given, at least one. Those that name an origin and a connect timeout alike share its
   * connections.
   *
   * @param connect To reach a target; 0 = none.
   */
  get(origins: readonly string[], connect: Milliseconds): Upstream
  /** Closes every connection now; open requests fail. */
  destroy(): void
}

export interface UpstreamOptions {
  /** PEM of CAs that upstreams' certificates may be of, besides those that Node trusts. */
  readonly ca?: string
  /**
   * Open requests per target, one to a connection; more wait in line. A long answer holds its connection. All, unless
   * set.
   */
  readonly connections?: number
  readonly onHealth?: OnHealth
}

/**
 * Keeps a pool of keep-alive connections for each target, and knows which are up.
 *
 * @throws where `ca` is no PEM
 */
export function createUpstreams(options: UpstreamOptions = {}): Upstreams {
  const targets = new Map<string, UpstreamServer>()
  const healths = new Map<string, UpstreamHealth>()
  const secureContext = options.ca === undefined ? undefined : trusting(options.ca)

  const healthOf = (origin: string, connect: Milliseconds) => {
    let health = healths.get(origin)
    if (health === undefined) {
      const probe = () => connectOnce(new URL(origin), connect, secureContext)
      healths.set(origin, (health = new UpstreamHealth(origin, probe, options.onHealth)))
    }
    return health
  }
  const targetOf = (origin: string, connect: Milliseconds) => {
    const key = `${connect} ${origin}`
    let target = targets.get(key)
    if (target === undefined) {
      const health = healthOf(origin, connect)
      targets.set(key, (target = open(origin, connect, { ...options, health, secureContext })))
    }
    return target
  }
  return {
    get: (origins, connect) => group([...new Set(origins)].map((origin) => targetOf(origin, connect))),
    destroy() {
      for (const health of healths.values()) health.close()
      for (const { pool } of targets.values()) pool.destroy()
    },
  }
}

function group(targets: readonly UpstreamServer[]): Upstream {
  if (targets.length === 0) throw new Error('an upstream needs an origin')
  let turn = 0
  return {
    name: targets.map(({ origin }) => origin).join(', '),
    targets,
    pick(tried) {
      if (targets.length === 1) return tried === undefined || tried.length === 0 ? targets[0] : undefined
      let fallback: UpstreamServer | undefined
      for (let step = 0; step < targets.length; step += 1) {
        const target = targets[(turn + step) % targets.length]!
        if (tried?.includes(target)) continue
        if (target.health.isUp) {
          turn = (turn + step + 1) % targets.length
          return target
        }
        fallback ??= target
      }
      turn = (turn + 1) % targets.length
      return fallback
    },
  }
}

interface UpstreamServerOptions extends UpstreamOptions {
  readonly health: UpstreamHealth
  readonly secureContext: SecureContext | undefined
}

function open(origin: string, connect: Milliseconds, options: UpstreamServerOptions): UpstreamServer {
  const { health, secureContext, connections = Number.POSITIVE_INFINITY } = options
  const url = new URL(origin)
  const onFailure = ({ reason }: { reason: string }) => health.unreachable(reason)
  const pool = new UpstreamPool({
    connect: upstreamConnector(url, { timeout: connect, secureContext, onFailure }),
    most: connections,
  })
  return { origin, host: url.host, pool, health }
}

/** Makes a connection and closes it. */
function connectOnce(
  url: URL,
  timeout: Milliseconds,
  secureContext: SecureContext | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    upstreamConnector(url, { timeout, secureContext })((error, socket) => {
      if (socket === null) return reject(error!)
      socket.destroy()
      resolve()
    })
  })
}
