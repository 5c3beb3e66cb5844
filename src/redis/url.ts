import { StartError } from '../start-error.js'

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

const FORM = /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\/(?:([^@/?#]*)@)?([^/?#]+)((?:\/[^/?#]*)*)$/

/**
 * Parses a Redis URL. The configuration has already checked its syntax in detail.
 *
 * @throws {StartError} if the text isn't a Redis URL. The message doesn't contain the text, which may have a password.
 */
export function parseRedisUrl(url: string): RedisUrl {
  const match = FORM.exec(url)
  if (!match)
    throw new StartError('store: not a redis://, rediss://, redis+sentinel:// or redis+cluster:// URL')
  const [, scheme, userinfo = '', hosts, path] = match as unknown as [
    string,
    string,
    string?,
    string?,
    string?,
  ]
  const kind = scheme === 'redis+sentinel' ? 'sentinel' : scheme === 'redis+cluster' ? 'cluster' : 'single'
  const segments = (path ?? '').split('/').filter(Boolean)
  const [primary, db] = kind === 'sentinel' ? segments : [undefined, segments[0]]
  const colon = userinfo.indexOf(':')
  const [username, password] =
    colon < 0 ? [userinfo, ''] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)]
  return {
    kind,
    nodes: hosts!.split(',').map((host) => parseAddress(host, kind === 'sentinel' ? 26_379 : 6_379)),
    primary,
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
    throw new StartError(
      `store: the ${part} contains a % that starts no valid UTF-8 escape. Write %25 for a literal %.`,
    )
  }
}

function parseAddress(text: string, defaultPort: number): RedisAddress {
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  return { host: v6 ?? name ?? text, port: port === undefined ? defaultPort : Number(port) }
}
