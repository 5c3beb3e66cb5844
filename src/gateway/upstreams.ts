import type { Milliseconds } from '../clock.js'
import { UpstreamHealth } from './upstream-health.js'
import type { OnHealth } from './upstream-health.js'
import type { UpstreamError } from './http1-client/upstream-error.js'
import { UpstreamPool } from './http1-client/upstream-pool.js'
import { createUpstreamContext, getHost, upstreamConnector } from './http1-client/upstream-socket.js'
import type { ConnectorOptions, UpstreamTls } from './http1-client/upstream-socket.js'

/** One address of an upstream, with its connections. */
export interface UpstreamServer {
  /** Scheme, host and port, such as `http://127.0.0.1:8080`, or `unix://` and the path of a socket. */
  readonly origin: string
  /** The `Host` header for this server: `name` or `name:port`. A Unix socket has `localhost`. */
  readonly host: string
  readonly pool: UpstreamPool
  /** The health of the origin, shared by all upstreams with this origin. */
  readonly health: UpstreamHealth
  /**
   * Calls `done` with an error if no connection to the server can be made, else with `null`. Makes no test connection
   * if the pool has a connection already.
   */
  reach(done: (error: UpstreamError | null) => void): void
}

/** An API behind the gateway, with one or more equivalent servers. */
export interface Upstream {
  /** The origins of the servers, for the log. */
  readonly name: string
  readonly targets: readonly UpstreamServer[]
  /**
   * Returns the next server that is up (round robin) and isn't in `tried`. If all of these are down, returns the next
   * one of them. Returns `undefined` if all servers are in `tried`.
   */
  pick(tried?: readonly UpstreamServer[]): UpstreamServer | undefined
}

/** All upstreams of the gateway. */
export interface Upstreams {
  /**
   * Returns an upstream with one server per origin. Upstreams that have an origin and the connect timeout in common
   * share the connections to this origin.
   *
   * @param connect Connect timeout in milliseconds. 0 disables it.
   * @throws Error if `origins` is empty.
   */
  get(origins: readonly string[], connect: Milliseconds): Upstream
  /** Closes all connections immediately, and stops the health probes. Open requests fail. */
  destroy(): void
}

/** Options for all upstreams. */
export interface UpstreamOptions extends UpstreamTls {
  /** The name that https upstreams must have in their certificate. If absent, the host of their origin. */
  readonly servername?: string
  /**
   * Maximum number of connections per origin and connect timeout. A connection carries one request at a time, and a
   * long-lived response occupies its connection. Further requests wait in a queue. If absent, there is no limit.
   */
  readonly connections?: number
  /**
   * Maps the address of a client to the group that counts as one client, such as the network of an IPv6 address. One
   * client can't occupy all connections to an upstream server. If absent, each address is a client of its own.
   */
  readonly groupClient?: (address: string) => string
  /** Maximum size of a response head, in bytes. Default: `MAX_HEAD_BYTES`. */
  readonly responseHeaders?: number
  /** Called when the health of an origin changes. */
  readonly onHealth?: OnHealth
}

/**
 * Creates the upstreams. Each upstream server has a pool of persistent connections and a health state.
 *
 * @throws Error if `ca` contains no certificate, or one that can't be parsed, or if `cert` and `key` can't be used.
 */
export function createUpstreams(options: UpstreamOptions = {}): Upstreams {
  const servers = new Map<string, UpstreamServer>()
  const healths = new Map<string, UpstreamHealth>()
  const tls = { secureContext: createUpstreamContext(options), servername: options.servername }

  const getHealth = (origin: string, connect: Milliseconds) => {
    let health = healths.get(origin)
    if (health === undefined) {
      const probe = () => connectOnce(origin, { ...tls, timeout: connect })
      healths.set(origin, (health = new UpstreamHealth(origin, probe, options.onHealth)))
    }
    return health
  }
  const getServer = (origin: string, connect: Milliseconds) => {
    const key = `${connect} ${origin}`
    let server = servers.get(key)
    if (server === undefined) {
      const health = getHealth(origin, connect)
      servers.set(key, (server = createServer(origin, { ...tls, timeout: connect }, { ...options, health })))
    }
    return server
  }
  return {
    get: (origins, connect) =>
      createUpstream([...new Set(origins)].map((origin) => getServer(origin, connect))),
    destroy() {
      for (const health of healths.values()) health.close()
      for (const { pool } of servers.values()) pool.destroy()
    },
  }
}

function createUpstream(targets: readonly UpstreamServer[]): Upstream {
  if (targets.length === 0) throw new Error('An upstream needs at least one origin.')
  let next = 0
  return {
    name: targets.map(({ origin }) => origin).join(', '),
    targets,
    pick(tried) {
      if (targets.length === 1) return tried === undefined || tried.length === 0 ? targets[0] : undefined
      let fallback: UpstreamServer | undefined
      for (let step = 0; step < targets.length; step += 1) {
        const server = targets[(next + step) % targets.length]!
        if (tried?.includes(server)) continue
        if (server.health.isUp) {
          next = (next + step + 1) % targets.length
          return server
        }
        fallback ??= server
      }
      next = (next + 1) % targets.length
      return fallback
    },
  }
}

function createServer(
  origin: string,
  connectorOptions: ConnectorOptions,
  options: UpstreamOptions & { readonly health: UpstreamHealth },
): UpstreamServer {
  const { health, responseHeaders, connections = Number.POSITIVE_INFINITY, groupClient } = options
  const onFailure = ({ reason }: { reason: string }) => health.unreachable(reason)
  const connector = upstreamConnector(origin, { ...connectorOptions, onFailure })
  const pool = new UpstreamPool({
    connect: connector,
    most: connections,
    ...(groupClient && { groupClient }),
    maxHead: responseHeaders,
  })
  const reach: UpstreamServer['reach'] = (done) => {
    if (pool.size > 0) return done(null)
    connector((error, socket) => {
      socket?.destroy()
      done(error)
    })
  }
  return { origin, host: getHost(origin), pool, health, reach }
}

/** Makes a connection and closes it. Rejects if no connection can be made. */
function connectOnce(origin: string, options: ConnectorOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    upstreamConnector(
      origin,
      options,
    )((error, socket) => {
      if (socket === null) return reject(error!)
      socket.destroy()
      resolve()
    })
  })
}
