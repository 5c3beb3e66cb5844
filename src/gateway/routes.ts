import { checkTarget } from './request-target.js'

/** The part of a route that selects its requests. */
export interface RoutePattern {
  /** A path prefix of whole segments: `/post` matches `/post` and `/post/1`, but not `/posts`. */
  readonly path: string
  /** `GET` includes `HEAD`. If absent, the route accepts every method except `TRACE` and `CONNECT`. */
  readonly methods?: readonly string[] | undefined
}

/** A compiled list of routes. */
export interface RouteTable<R> {
  /** Returns the route with the longest path that accepts the method. `match` comes from `checkTarget`. */
  find(method: string, match: string): R | undefined
}

/** A node of the tree of paths: the routes with this path, and the child nodes by the next segment. */
interface RouteNode<R> {
  readonly byMethod: Map<string, R>
  /** The route without `methods`. A route that lists the method takes precedence. */
  fallback: R | undefined
  readonly children: Map<string, RouteNode<R>>
}

/**
 * Compiles a route table. The comparison of paths is case-sensitive, and ignores how unreserved characters are escaped.
 *
 * @throws Error if a path can't match any request, or if two routes with the same path accept the same method.
 */
export function compileRoutes<R extends RoutePattern>(routes: readonly R[]): RouteTable<R> {
  const root = createNode<R>()
  for (const route of routes) addRoute(addNode(root, normalizePath(route.path)), route)
  addHeads(root)
  return { find: (method, match) => findRoute(root, method, match) }
}

/**
 * Compiles a table of the same routes for servers that ignore letter case, and dots at the end of a segment (Express and
 * ASP.NET, for example). Of two routes with paths that are equal for them, the first one is found.
 *
 * @param routes Routes that `compileRoutes` has accepted.
 */
export function compileFoldedRoutes<R extends RoutePattern>(routes: readonly R[]): RouteTable<R> {
  const root = createNode<R>()
  for (const route of routes) {
    const node = addNode(root, foldPath(normalizePath(route.path)))
    if (route.methods === undefined) node.fallback ??= route
    for (const name of route.methods ?? []) {
      const method = name.toUpperCase()
      if (!node.byMethod.has(method)) node.byMethod.set(method, route)
    }
  }
  addHeads(root)
  return { find: (method, match) => findRoute(root, method, foldPath(match)) }
}

const FOLDED = /[A-Z]|\.(?:\/|$)/

function foldPath(path: string): string {
  // Without the lookbehind, each dot of a long run would be tried as its beginning: quadratic time.
  return FOLDED.test(path) ? path.toLowerCase().replaceAll(/(?<!\.)\.+(?=\/|$)/g, '') : path
}

function createNode<R>(): RouteNode<R> {
  return { byMethod: new Map(), fallback: undefined, children: new Map() }
}

function addNode<R>(root: RouteNode<R>, path: string): RouteNode<R> {
  let node = root
  for (const segment of path.split('/').slice(1)) {
    let next = node.children.get(segment)
    if (next === undefined) node.children.set(segment, (next = createNode()))
    node = next
  }
  return node
}

/** Assigns HEAD to the route for GET on each path where no route lists HEAD. */
function addHeads<R>(root: RouteNode<R>): void {
  const nodes = [root]
  for (const { byMethod, children } of nodes) {
    const get = byMethod.get('GET')
    if (get !== undefined && !byMethod.has('HEAD')) byMethod.set('HEAD', get)
    for (const node of children.values()) nodes.push(node)
  }
}

/** Finds a route. Stops at the first segment that no route has, so that a long path costs no more than a short one. */
function findRoute<R>(root: RouteNode<R>, method: string, match: string): R | undefined {
  let found = selectRoute(root, method)
  let from = 1
  for (let node: RouteNode<R> | undefined = root; ;) {
    const slash = match.indexOf('/', from)
    node = node.children.get(slash === -1 ? match.slice(from) : match.slice(from, slash))
    if (node === undefined) return found
    found = selectRoute(node, method) ?? found
    if (slash === -1) return found
    from = slash + 1
  }
}

function selectRoute<R>({ byMethod, fallback }: RouteNode<R>, method: string): R | undefined {
  return byMethod.get(method) ?? (isOrdinary(method) ? fallback : undefined)
}

function addRoute<R extends RoutePattern>(node: RouteNode<R>, route: R): void {
  const conflict = (what: string) =>
    new Error(
      `routes: two routes with the path ${route.path} accept ${what}. List each method in only one of them.`,
    )
  if (route.methods === undefined) {
    if (node.fallback !== undefined) throw conflict('every method')
    node.fallback = route
    return
  }
  if (route.methods.length === 0) {
    throw new Error(
      `routes: the route ${route.path} lists no method. List at least one, or omit "methods" to accept all methods.`,
    )
  }
  for (const name of route.methods) {
    const method = name.toUpperCase()
    if (node.byMethod.has(method)) throw conflict(method)
    node.byMethod.set(method, route)
  }
}

/** Returns a route's path in the form of `match` (see `checkTarget`), without a trailing slash. */
function normalizePath(path: string): string {
  const checked = checkTarget(path, { target: 8192 })
  if (!checked.ok) {
    throw new Error(
      `routes: the path ${path} can't match any request (${checked.reason}). Use the form /segment/segment.`,
    )
  }
  if (checked.query !== undefined) throw new Error(`routes: the path ${path} must not contain a query.`)
  return checked.match.endsWith('/') ? checked.match.slice(0, -1) : checked.match
}

function isOrdinary(method: string): boolean {
  return method !== 'TRACE' && method !== 'CONNECT'
}
