import { checkTarget } from './request-target.js'

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

/** The routes that share one path, and the paths beneath it by their next segment. */
interface Place<R> {
  readonly byMethod: Map<string, R>
  /** The one without `methods`. Those that name a method go before it. */
  rest: R | undefined
  readonly beneath: Map<string, Place<R>>
}

/**
 * Compiles a route table. Paths are compared with case, after decoding unreserved escapes on both sides.
 * @throws Error where a path would never match, or two routes of one path claim the same method.
 */
export function compileRoutes<R extends RoutePattern>(routes: readonly R[]): RouteTable<R> {
  const root = emptyPlace<R>()
  for (const route of routes) claim(placeAt(root, normalPath(route.path)), route)
  addHeads(root)
  return { find: (method, match) => findBeneath(root, method, match) }
}

function emptyPlace<R>(): Place<R> {
  return { byMethod: new Map(), rest: undefined, beneath: new Map() }
}

function placeAt<R>(root: Place<R>, path: string): Place<R> {
  let place = root
  for (const segment of path.split('/').slice(1)) {
    let next = place.beneath.get(segment)
    if (next === undefined) place.beneath.set(segment, (next = emptyPlace()))
    place = next
  }
  return place
}

/** Where no route of a path names HEAD, the one for GET takes it. */
function addHeads<R>(root: Place<R>): void {
  const places = [root]
  for (const { byMethod, beneath } of places) {
    const get = byMethod.get('GET')
    if (get !== undefined && !byMethod.has('HEAD')) byMethod.set('HEAD', get)
    for (const place of beneath.values()) places.push(place)
  }
}

/** Reads each segment once, and none behind the first that no route has: a deep path costs no more than a short one. */
function findBeneath<R>(root: Place<R>, method: string, match: string): R | undefined {
  let found = selectRoute(root, method)
  let from = 1
  for (let place: Place<R> | undefined = root; ;) {
    const slash = match.indexOf('/', from)
    place = place.beneath.get(slash === -1 ? match.slice(from) : match.slice(from, slash))
    if (place === undefined) return found
    found = selectRoute(place, method) ?? found
    if (slash === -1) return found
    from = slash + 1
  }
}

function selectRoute<R>({ byMethod, rest }: Place<R>, method: string): R | undefined {
  return byMethod.get(method) ?? (isOrdinary(method) ? rest : undefined)
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
  const judged = checkTarget(path, { target: 8192 })
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
