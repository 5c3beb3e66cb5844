import { isIP } from 'node:net'
import { endsWithBadPort, isHost } from '../host.js'

/** The address of one Redis server. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
}

/** A parsed Redis URL: one server, a list of Sentinels, or nodes of a Cluster. */
export interface RedisUrl {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly nodes: readonly RedisAddress[]
  /** The name by which the Sentinels know the primary. */
  readonly primary: string | undefined
  readonly db: number
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
}

/** An error in a Redis URL. The message doesn't contain the URL, which may have a password. */
export class RedisUrlError extends Error {
  override readonly name = 'RedisUrlError'
}

const SCHEME = /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\//
const CREDENTIALS = '(?:([^@/?#]*)@)?'
/** The forms by kind: user and password, hosts, the name of the primary, and the database. */
const FORMS = {
  single: {
    pattern: new RegExp(`^rediss?://${CREDENTIALS}([^@/?#,]+)()(?:/(\\d{0,5}))?$`),
    example: 'host:6379/0',
    port: 6379,
  },
  sentinel: {
    pattern: new RegExp(`^redis\\+sentinel://${CREDENTIALS}([^@/?#]+)/([\\w.-]+)(?:/(\\d{0,5}))?$`),
    example: 'h1:26379,h2:26379/NAME-OF-THE-PRIMARY',
    port: 26_379,
  },
  cluster: {
    pattern: new RegExp(`^redis\\+cluster://${CREDENTIALS}([^@/?#]+)/?()()$`),
    example: 'h1:6379,h2:6379',
    port: 6379,
  },
} as const

/**
 * Parses a Redis URL.
 *
 * @throws {RedisUrlError}
 */
export function parseRedisUrl(url: string): RedisUrl {
  const scheme = SCHEME.exec(url)?.[1]
  if (scheme === undefined) {
    throw new RedisUrlError(
      'is not a store; write memory, redis://…, rediss://…, redis+sentinel://… or redis+cluster://…',
    )
  }
  const kind = scheme === 'redis+sentinel' ? 'sentinel' : scheme === 'redis+cluster' ? 'cluster' : 'single'
  const { pattern, example, port } = FORMS[kind]
  const [, userinfo = '', hosts = '', primary, db] = pattern.exec(url) ?? []
  const addresses = hosts.split(',')
  // The port isn't quoted. Without an @, it may be a password.
  if (addresses.some(endsWithBadPort)) {
    throw new RedisUrlError(`has a port that is not from 1 to 65535; write one such as ${port}`)
  }
  const nodes = addresses.map((host) => parseAddress(host, port))
  if (!nodes.every((node) => node !== undefined)) {
    throw new RedisUrlError(
      `is not a complete URL; write ${scheme}://[user:password@]${example}, with / ? # @ in a password percent-encoded and nothing after a ?`,
    )
  }
  const colon = userinfo.indexOf(':')
  const [username, password] =
    colon < 0 ? [userinfo, ''] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)]
  return {
    kind,
    nodes,
    primary: primary || undefined,
    db: Number(db ?? 0),
    tls: scheme === 'rediss',
    username: decode('user', username) || undefined,
    password: decode('password', password) || undefined,
  }
}

function decode(part: 'user' | 'password', text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new RedisUrlError(
      `has a % in the ${part} that starts no valid UTF-8 escape; write %25 for a literal %`,
    )
  }
}

/** Returns `undefined` if the text isn't a host with an optional port. */
function parseAddress(text: string, defaultPort: number): RedisAddress | undefined {
  const [, v6, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = v6 ?? name
  const port = digits === undefined ? defaultPort : Number(digits)
  if (host === undefined || !(v6 === undefined ? isHost(host) : isIP(host) === 6)) return undefined
  return { host, port }
}
