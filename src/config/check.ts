import type { PluginSettings, RouteSettings, Settings } from './settings.js'
import { flattenName } from '../gateway/header-rules.js'
import { OWN_PATHS } from '../own-paths.js'
import { formatDuration } from './values.js'

/**
 * A rule over more than one setting. The first key is blamed; a rule whose keys have problems of their own is
 * skipped.
 */
export interface Rule<S> {
  readonly keys: readonly [string, ...string[]]
  /** What is wrong, or nothing. */
  readonly wrong: (settings: S) => string | false
}

type Shared = Pick<
  PluginSettings,
  'tokens' | 'revocation' | 'accept' | 'cookies' | 'prefix' | 'login' | 'identity' | 'audience' | 'keys'
>

export const SHARED_RULES: readonly Rule<Shared>[] = [
  {
    keys: ['tokens.refresh', 'tokens.absolute'],
    wrong: ({ tokens }) =>
      tokens.refresh === 0 &&
      tokens.absolute === 0 &&
      'is 0 and so is tokens.absolute: sessions would never end; set one of them, such as 30d',
  },
  {
    keys: ['tokens.access'],
    // exp is a NumericDate: a fraction would be cut off, or make the token outlive what was set.
    wrong: ({ tokens }) =>
      tokens.access % 1000 !== 0 && `is ${formatDuration(tokens.access)}; access tokens live whole seconds`,
  },
  {
    keys: ['revocation.horizon', 'tokens.access'],
    wrong: ({ revocation: { horizon }, tokens }) =>
      horizon !== undefined &&
      horizon < tokens.access &&
      `is ${formatDuration(horizon)}, less than tokens.access (${formatDuration(tokens.access)}): our own tokens would be refused; raise it, or lower that`,
  },
  {
    keys: ['accept.from', 'cookies.enabled'],
    wrong: ({ accept, cookies }) =>
      !cookies.enabled &&
      accept.from.every((transport) => transport === 'cookie') &&
      'names cookies alone, but cookies.enabled is false; add header, or enable cookies',
  },
  {
    keys: ['login.users', 'login.http'],
    wrong: ({ login }) =>
      typeof login !== 'function' &&
      login.http !== undefined &&
      login.users !== undefined &&
      'is set, and login.http too: one of them decides who may log in; remove the other',
  },
  {
    keys: ['login.http.password', 'login.http.username'],
    wrong: ({ login }) =>
      typeof login !== 'function' &&
      login.http?.password === login.http?.username &&
      login.http !== undefined &&
      'is the field for the name, too; each needs one of its own',
  },
  {
    keys: ['identity.token.audience', 'audience'],
    wrong: ({ identity, audience }) =>
      identity.token?.audience === audience &&
      'is that of access tokens; choose another, so that the one is never good as the other',
  },
  {
    keys: ['identity.token.life'],
    wrong: ({ identity: { token } }) =>
      token !== undefined &&
      token.life % 1000 !== 0 &&
      `is ${formatDuration(token.life)}; it lives whole seconds`,
  },
  {
    keys: ['keys.algorithm', 'identity.token'],
    wrong: ({ identity, keys }) =>
      identity.token !== undefined &&
      keys.algorithm.startsWith('HS') &&
      `is ${keys.algorithm}, but identity.token needs a key pair: an upstream that can verify could also sign; choose ES256`,
  },
  {
    keys: ['identity.token.header', 'identity.headers'],
    wrong: ({ identity: { token, headers } }) =>
      token !== undefined &&
      Object.keys(headers).some((name) => flattenName(name) === flattenName(token.header)) &&
      'is one of identity.headers too; choose another name',
  },
]

export const GATEWAY_RULES: readonly Rule<Settings>[] = [
  {
    keys: ['accept.from'],
    wrong: ({ accept }) =>
      accept.from.includes('body') &&
      'names body, which the gateway streams on unread; it is for the plugin alone',
  },
  {
    keys: ['prefix'],
    wrong: ({ prefix }) => {
      const taken = OWN_PATHS.find((path) => isBeneath(path, prefix) || isBeneath(prefix, path))
      return (
        taken !== undefined &&
        `${JSON.stringify(prefix)} collides with ${taken}; choose another, such as /auth`
      )
    },
  },
  {
    keys: ['workers', 'store'],
    wrong: ({ workers, store }) =>
      workers > 1 &&
      store === 'memory' &&
      `is ${workers}, but store is memory: each worker would have sessions of its own; name a Redis, or write 1`,
  },
  {
    keys: ['limits.target', 'limits.headers'],
    wrong: ({ limits }) =>
      limits.target >= limits.headers &&
      `is ${limits.target}b, not less than limits.headers (${limits.headers}b), which has to hold it; lower it, or raise that`,
  },
  {
    keys: ['admin.port', 'listen.port'],
    wrong: ({ admin, listen }) =>
      admin !== false &&
      admin.port !== 0 &&
      admin.port === listen.port &&
      `is ${admin.port}, as listen.port is; choose another, or 0 for a free one`,
  },
]

/** What is wrong with the routes among each other and beside our own paths: path of the setting, message. */
export function findRouteMistakes(
  routes: readonly RouteSettings[],
  prefix: string,
): [key: string, message: string][] {
  const found: [string, string][] = []
  const claimsByPath = new Map<string, PathClaims>()
  routes.forEach((route, i) => {
    const key = `routes[${i}]`
    const path = JSON.stringify(route.path)
    if (isBeneath(route.path, prefix)) {
      found.push([
        `${key}.path`,
        `${path} would shadow our own routes under ${prefix}; choose another path or prefix`,
      ])
    }
    if (OWN_PATHS.includes(route.path)) {
      found.push([`${key}.path`, `${path} is kept for the gateway itself; choose another path`])
    }
    if (route.scope.length > 0 && route.auth !== 'required') {
      found.push([
        `${key}.scope`,
        `needs a token, but auth is ${route.auth}; write auth: required, or drop the scope`,
      ])
    }
    const needsUpstream = (['rewritePrefix', 'onSuccess'] as const).find((one) => route[one] !== undefined)
    if (route.upstream === undefined && needsUpstream !== undefined) {
      found.push([`${key}.${needsUpstream}`, 'needs an upstream; name one, or drop it'])
    }
    if (route.onSuccess !== undefined && route.auth === 'none') {
      found.push([`${key}.onSuccess`, 'needs to know who asks, but auth is none; write auth: required'])
    }
    const claims = claimsByPath.get(route.path) ?? new PathClaims()
    const earlier = claims.overlapping(route)
    if (earlier !== undefined) {
      found.push([
        `${key}.path`,
        `${path} is routes[${earlier}].path too, for ${overlap(routes[earlier], route)}; give each method of a path one route`,
      ])
    }
    claims.add(route, i)
    claimsByPath.set(route.path, claims)
  })
  return found
}

/** The routes of one path so far, each by its index in the list: a configuration may have tens of thousands. */
class PathClaims {
  readonly #byMethod = new Map<string, number>()
  /** The first route without `methods`, which takes all of them. */
  #all: number | undefined
  #first: number | undefined

  add({ methods }: RouteSettings, index: number): void {
    this.#first ??= index
    if (methods === undefined) this.#all ??= index
    for (const method of withHead(methods)) {
      if (!this.#byMethod.has(method)) this.#byMethod.set(method, index)
    }
  }

  /** The first route that takes a method of this one, if there is any. */
  overlapping({ methods }: RouteSettings): number | undefined {
    if (methods === undefined) return this.#first
    const claims = [this.#all, ...withHead(methods).map((method) => this.#byMethod.get(method))]
    const indexes = claims.filter((index) => index !== undefined)
    return indexes.length === 0 ? undefined : Math.min(...indexes)
  }
}

/** The methods that both routes list, in words; nothing when there is none. */
function overlap(a: RouteSettings | undefined, b: RouteSettings): string | undefined {
  if (a?.methods === undefined && b.methods === undefined) return 'all methods'
  const [some, others] = [withHead(a?.methods ?? b.methods), withHead(b.methods ?? a?.methods)]
  const both = some.filter((method) => others.includes(method))
  return both.length === 0 ? undefined : both.join(', ')
}

/** GET includes HEAD. */
function withHead(methods: readonly string[] = []): readonly string[] {
  return methods.includes('GET') ? [...new Set([...methods, 'HEAD'])] : methods
}

function isBeneath(path: string, ancestor: string): boolean {
  return path === ancestor || path.startsWith(`${ancestor}/`)
}
