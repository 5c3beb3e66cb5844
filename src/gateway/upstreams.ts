import { isIP } from 'node:net'
import { Pool } from 'undici'
import type { Milliseconds } from '../clock.js'
import { upstreamConnector } from './upstream-socket.js'

/** A server behind the gateway, with its connections. */
export interface Upstream {
  /** Such as `http://127.0.0.1:8080`. */
  readonly origin: string
  /** What its own `Host` is: `name` or `name:port`. */
  readonly host: string
  /** The name that its certificate must have; never the client's `Host`. */
  readonly servername: string | undefined
  readonly pool: Pool
}

export interface Upstreams {
  /** The upstream of an origin; one for all routes that name it. */
  get(origin: string): Upstream
  /** Lets open requests end, then closes every connection. */
  close(): Promise<void>
  /** Closes every connection now; open requests fail. */
  destroy(): Promise<void>
}

export interface UpstreamOptions {
  /** To reach the upstream; 0 = none. */
  readonly connect: Milliseconds
  /** Open requests per upstream, one to a connection; more wait in line. A long answer holds its connection. */
  readonly connections?: number
}

/** Keeps one pool of keep-alive connections for each upstream. */
export function createUpstreams(options: UpstreamOptions): Upstreams {
  const upstreams = new Map<string, Upstream>()
  const every = async (end: (pool: Pool) => Promise<void>) => {
    await Promise.all([...upstreams.values()].map(({ pool }) => end(pool)))
  }
  return {
    get(origin) {
      let upstream = upstreams.get(origin)
      if (upstream === undefined) upstreams.set(origin, (upstream = open(origin, options)))
      return upstream
    },
    close: () => every((pool) => pool.close()),
    destroy: () => every((pool) => pool.destroy()),
  }
}

function open(origin: string, options: UpstreamOptions): Upstream {
  const { host, hostname, protocol } = new URL(origin)
  const isName = isIP(hostname.replace(/^\[|\]$/g, '')) === 0
  return {
    origin,
    host,
    servername: protocol === 'https:' && isName ? hostname : undefined,
    pool: new Pool(origin, {
      connect: upstreamConnector(options.connect),
      connections: options.connections ?? 1024,
      // A second request on a busy connection would wait for the first one's answer, and share its fate.
      pipelining: 1,
      // Below the 5 s after which Node, Apache and others close an idle connection.
      keepAliveTimeout: 4000,
      keepAliveTimeoutThreshold: 1000,
    }),
  }
}
