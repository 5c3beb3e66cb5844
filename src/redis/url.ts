import { StartError } from '../start-error.js'

/** The three forms of a Redis URL, taken apart. Their syntax was judged with the configuration. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisUrl {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly nodes: readonly RedisAddress[]
  /** The primary's name, of Sentinel. */
  readonly primary: string | undefined
  readonly db: number
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
}

const FORM = /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\/(?:([^@/?#]*)@)?([^/?#]+)((?:\/[^/?#]*)*)$/

/** @throws {StartError} if it is no such URL; the message doesn't hold it, as it may have a password. */
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
    throw new StartError(`store: the ${part} has a % that begins no escape of UTF-8; write %25 for %`)
  }
}

function parseAddress(text: string, defaultPort: number): RedisAddress {
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  return { host: v6 ?? name ?? text, port: port === undefined ? defaultPort : Number(port) }
}
