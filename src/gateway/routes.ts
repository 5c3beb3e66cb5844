import { judgeTarget } from './target.js'

/** What of a route decides which requests are its own. */
export interface RoutePattern {
  /** A path prefix, by whole segments: `/post` is for `/post` and `/post/1`, not for `/posts`. */
  readonly path: string
  /** `GET` includes `HEAD`; absent: every method but `TRACE` and `CONNECT`. */
  readonly methods?: readonly string[] | undefined
}

export interface RouteTable<R> {
  /** The route with the longest path among those that list the method; `match` comes from `judgeTarget`. */
  find(method: string, match: string): R | undefined
}

/** The routes that share one path. */
interface Place<R> {
  readonly byMethod: Map<string, R>
  /** The one without `methods`. Those that name a method go before it. */
  rest: R | undefined
}

/**
 * Compiles a route table. Paths are compared with case, after decoding unreserved escapes on both sides.
 * @throws Error where a path would never match, or two routes of one path claim the same method.
 */
export function compileRoutes<R extends RoutePattern>(routes: readonly R[]): RouteTable<R> {
  const places = new Map<string, Place<R>>()
  let longest = 0
  for (const route of routes) {
    const path = normalPath(route.path)
    longest = Math.max(longest, path.length)
    let place = places.get(path)
    if (place === undefined) places.set(path, (place = { byMethod: new Map(), rest: undefined }))
    claim(place, route)
  }
  for (const { byMethod } of places.values()) {
    const get = byMethod.get('GET')
    if (get !== undefined && !byMethod.has('HEAD')) byMethod.set('HEAD', get)
  }

  return {
    find(method, match) {
      for (let prefix = firstPrefix(match, longest); prefix !== undefined; prefix = shorter(prefix)) {
        const place = places.get(prefix)
        if (place === undefined) continue
        const route = place.byMethod.get(method) ?? (isOrdinary(method) ? place.rest : undefined)
        if (route !== undefined) return route
      }
      return undefined
    },
  }
}

function claim<R extends RoutePattern>(place: Place<R>, route: R): void {
  const twice = (what: string) =>
    new Error(`routes: two routes with the path ${route.path} take ${what}; give each method to one of them.`)
  if (route.methods === undefined) {
    if (place.rest !== undefined) throw twice('every method')
    place.rest = route
    return
  }
  if (route.methods.length === 0) {
    throw new Error(
      `routes: the route ${route.path} lists no method; name some, or leave "methods" out for all.`,
    )
  }
  for (const name of route.methods) {
    const method = name.toUpperCase()
    if (place.byMethod.has(method)) throw twice(method)
    place.byMethod.set(method, route)
  }
}

/** A route's path in the form that `judgeTarget` gives to `match`, without a slash at the end. */
function normalPath(path: string): string {
  const judged = judgeTarget(path, { target: 8192 })
  if (!judged.ok) {
    throw new Error(
      `routes: no request can have the path ${path} (${judged.reason}); write it as /segment/segment.`,
    )
  }
  if (judged.query !== undefined) throw new Error(`routes: the path ${path} must not hold a query.`)
  return judged.match.endsWith('/') ? judged.match.slice(0, -1) : judged.match
}

function isOrdinary(method: string): boolean {
  return method !== 'TRACE' && method !== 'CONNECT'
}

/**
 * The longest prefix of whole segments that any route could have, so that a deep path costs no more than a short one.
 */
function firstPrefix(match: string, longest: number): string | undefined {
  if (match.length <= longest) return match.endsWith('/') ? match.slice(0, -1) : match
  const end = match.lastIndexOf('/', longest)
  return end === -1 ? undefined : match.slice(0, end)
}

function shorter(prefix: string): string | undefined {
  return prefix === '' ? undefined : prefix.slice(0, prefix.lastIndexOf('/'))
}
