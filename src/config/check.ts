import { isIP } from 'node:net'
import { KEY_RULES, GATEWAY_KEY_RULES } from './key-rules.js'
import type { Rule } from './rule.js'
import type { PluginSettings, RouteSettings, Settings } from './settings.js'
import { flattenName } from '../gateway/header-rules.js'
import { OWN_PATHS, isBeneath } from '../own-paths.js'
import { TOKEN_RULES } from './token-rules.js'
import { formatDuration } from './values.js'

type Shared = Pick<
  PluginSettings,
  | 'tokens'
  | 'codes'
  | 'revocation'
  | 'accept'
  | 'cookies'
  | 'prefix'
  | 'login'
  | 'identity'
  | 'audience'
  | 'keys'
  | 'store'
>

export const SHARED_RULES: readonly Rule<Shared>[] = [
  ...KEY_RULES,
  ...TOKEN_RULES,
  {
    keys: ['codes.access'],
    wrong: ({ codes }) =>
      codes !== undefined &&
      codes.access % 1000 !== 0 &&
      `is ${formatDuration(codes.access)}; write a number of whole seconds, such as 2h`,
  },
  {
    keys: ['revocation.horizon', 'codes.access'],
    wrong: ({ revocation: { horizon }, codes }) =>
      horizon !== undefined &&
      codes !== undefined &&
      horizon < codes.access &&
      `is ${formatDuration(horizon)}, less than codes.access (${formatDuration(codes.access)}), so access tokens of sessions that a code began would be refused; raise revocation.horizon, or lower codes.access`,
  },
  {
    keys: ['accept.from', 'cookies.enabled'],
    wrong: ({ accept, cookies }) =>
      !cookies.enabled &&
      accept.from.every((transport) => transport === 'cookie') &&
      'lists only cookie, but cookies.enabled is false; add header, or enable cookies',
  },
  {
    keys: ['cookies.sameSite', 'cookies.secure'],
    wrong: ({ cookies }) =>
      cookies.sameSite === 'none' &&
      !cookies.secure &&
      'is none, which needs cookies.secure: true, because browsers drop such cookies otherwise; choose lax, or set cookies.secure',
  },
  {
    keys: ['login.users', 'login.http'],
    wrong: ({ login }) =>
      typeof login !== 'function' &&
      login.http !== undefined &&
      login.users !== undefined &&
      'and login.http are both set, but only one can verify credentials; remove the other',
  },
  {
    keys: ['login.http.password', 'login.http.username'],
    wrong: ({ login }) =>
      typeof login !== 'function' &&
      login.http?.password === login.http?.username &&
      login.http !== undefined &&
      'is the same field as login.http.username; choose another',
  },
  {
    keys: ['identity.token.audience', 'audience'],
    wrong: ({ identity, audience }) =>
      identity.token?.audience === audience &&
      'is also the audience of access tokens; choose another, so that neither token is valid in place of the other',
  },
  {
    keys: ['identity.token.life'],
    wrong: ({ identity: { token } }) =>
      token !== undefined &&
      token.life % 1000 !== 0 &&
      `is ${formatDuration(token.life)}; write a number of whole seconds, such as 30s`,
  },
  {
    keys: ['keys.algorithm', 'identity.token'],
    wrong: ({ identity, keys }) =>
      identity.token !== undefined &&
      keys.algorithm?.startsWith('HS') === true &&
      `is ${keys.algorithm}, but identity.token needs a key pair, because an upstream could sign with the shared secret; choose ES256`,
  },
  {
    keys: ['identity.token.header', 'identity.headers'],
    wrong: ({ identity: { token, headers } }) =>
      token !== undefined &&
      Object.keys(headers).some((name) => flattenName(name) === flattenName(token.header)) &&
      'is one of identity.headers, too; choose another name',
  },
]

export const GATEWAY_RULES: readonly Rule<Settings>[] = [
  ...GATEWAY_KEY_RULES,
  {
    keys: ['accept.from'],
    wrong: ({ accept }) =>
      accept.from.includes('body') &&
      'contains body, but the gateway forwards bodies without reading them; remove it (body is for the plugin only)',
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
      `is ${workers}, but store is memory, so each worker would have its own sessions; set store to a Redis URL, or workers to 1`,
  },
  {
    keys: ['limits.target', 'limits.headers'],
    wrong: ({ limits }) =>
      limits.target >= limits.headers &&
      `is ${limits.target}b, but must be less than limits.headers (${limits.headers}b), which includes it; lower limits.target, or raise limits.headers`,
  },
  {
    keys: ['admin.port', 'listen.port'],
    wrong: ({ admin, listen }) =>
      admin !== false &&
      admin.port !== 0 &&
      admin.port === listen.port &&
      `is ${admin.port}, which is also listen.port; choose another, or 0 for a free port`,
  },
  {
    keys: ['upstreams.cert', 'upstreams.key'],
    wrong: ({ upstreams: { cert, key } }) =>
      cert !== undefined && key === undefined && 'needs upstreams.key; set it to the file of its private key',
  },
  {
    keys: ['upstreams.key', 'upstreams.cert'],
    wrong: ({ upstreams: { cert, key } }) =>
      key !== undefined &&
      cert === undefined &&
      'needs upstreams.cert; set it to the file of its certificate',
  },
  {
    keys: ['upstreams.servername'],
    // RFC 6066 §3
    wrong: ({ upstreams: { servername } }) =>
      servername !== undefined &&
      isIP(servername) !== 0 &&
      `is an address, but TLS has only names; write the name in the certificate, or leave it out`,
  },
]

/** Finds conflicts between routes, and with the gateway's own paths. Returns pairs of setting and error message. */
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
        `${path} would hide Portcullis’s own routes under ${prefix}; choose another path or prefix`,
      ])
    }
    if (OWN_PATHS.includes(route.path)) {
      found.push([`${key}.path`, `${path} is reserved for the gateway; choose another path`])
    }
    if (route.scope.length > 0 && route.auth !== 'required') {
      found.push([
        `${key}.scope`,
        `needs a token, but auth is ${route.auth}; write auth: required, or remove the scope`,
      ])
    }
    const isSet = { rewritePrefix: true, onSuccess: true, redirects: route.redirects === 'rewrite' }
    const needsUpstream = (['rewritePrefix', 'onSuccess', 'redirects'] as const).find(
      (one) => isSet[one] && route[one] !== undefined,
    )
    if (route.upstream === undefined && needsUpstream !== undefined) {
      found.push([`${key}.${needsUpstream}`, 'needs an upstream; add one, or remove this setting'])
    }
    if (route.onSuccess !== undefined && route.auth === 'none') {
      found.push([`${key}.onSuccess`, 'needs to know the caller, but auth is none; write auth: required'])
    }
    const allClaims = (route.hosts ?? ['']).map((host) => {
      const place = `${host}${route.path}`
      const claims = claimsByPath.get(place) ?? new PathClaims()
      claimsByPath.set(place, claims)
      return claims
    })
    const earlier = allClaims.map((claims) => claims.overlapping(route)).find((index) => index !== undefined)
    if (earlier !== undefined) {
      found.push([
        `${key}.path`,
        `${path} is also routes[${earlier}].path, for ${overlap(routes[earlier], route)}; list each method of a path in one route only, or give the routes different hosts`,
      ])
    }
    for (const claims of allClaims) claims.add(route, i)
  })
  return found
}

/** The indexes of the routes with one path and one host. Maps keep the check fast, because there may be tens of thousands. */
class PathClaims {
  readonly #byMethod = new Map<string, number>()
  /** The first route without `methods`. It covers all methods that no other route lists. */
  #all: number | undefined

  add({ methods }: RouteSettings, index: number): void {
    if (methods === undefined) this.#all ??= index
    for (const method of withHead(methods)) {
      if (!this.#byMethod.has(method)) this.#byMethod.set(method, index)
    }
  }

  /** Returns the first route with the same claim as the given one, or `undefined` if there is none. */
  overlapping({ methods }: RouteSettings): number | undefined {
    if (methods === undefined) return this.#all
    const claims = withHead(methods).map((method) => this.#byMethod.get(method))
    const indexes = claims.filter((index) => index !== undefined)
    return indexes.length === 0 ? undefined : Math.min(...indexes)
  }
}

/** Returns the methods that both routes list, as text for a message, or `undefined` if there are none. */
function overlap(a: RouteSettings | undefined, b: RouteSettings): string | undefined {
  if (a?.methods === undefined && b.methods === undefined) return 'all methods'
  const [some, others] = [withHead(a?.methods), withHead(b.methods)]
  const both = some.filter((method) => others.includes(method))
  return both.length === 0 ? undefined : both.join(', ')
}

/** Adds HEAD if there is GET. */
function withHead(methods: readonly string[] = []): readonly string[] {
  return methods.includes('GET') ? [...new Set([...methods, 'HEAD'])] : methods
}
