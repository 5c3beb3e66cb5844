import { checkTarget } from './request-target.js'

/** The part of a route that selects its requests. */
export interface RoutePattern {
  /** A path prefix of whole segments: `/post` matches `/post` and `/post/1`, but not `/posts`. */
  readonly path: string
  /** Names or addresses without a port, in lower case. If absent, the route is for every host. */
  readonly hosts?: readonly string[] | undefined
  /** `GET` includes `HEAD`. If absent, the route accepts every method except `TRACE` and `CONNECT`. */
  readonly methods?: readonly string[] | undefined
}

/** A compiled list of routes. */
export interface RouteTable<R> {
  /**
   * Of the routes that accept the method and the host, returns the one with the longest path. If two have that path, the
   * one that lists the host takes precedence, then the one that lists the method.
   *
   * @param match The path, from `checkTarget`.
   * @param host The value of `Host`, or `undefined` if there is none.
   */
  find(method: string, match: string, host?: string): R | undefined
}

/** The routes with one path, for one host or for all hosts. */
interface RouteSet<R> {
  readonly byMethod: Map<string, R>
  /** The route without `methods`. A route that lists the method takes precedence. */
  fallback: R | undefined
}

/** A node of the tree of paths: the routes with this path, and the child nodes by the next segment. */
interface RouteNode<R> extends RouteSet<R> {
  /** The routes with `hosts`, by host. `undefined` if there are none. */
  byHost: Map<string, RouteSet<R>> | undefined
  readonly children: Map<string, RouteNode<R>>
}

/**
 * Compiles a route table. The comparison of paths is case-sensitive, and ignores how unreserved characters are escaped.
 *
 * @throws Error if a path has a query or can't match any request, if `methods` is empty, or if two routes with the same
 *   path and host list the same method or both leave out `methods`.
 */
export function compileRoutes<R extends RoutePattern>(routes: readonly R[]): RouteTable<R> {
  const root = createNode<R>()
  for (const route of routes) {
    for (const set of getSets(addNode(root, normalizePath(route.path)), route)) addRoute(set, route)
  }
  return createTable(root, routes, (match) => match)
}

/**
 * Compiles a table of the same routes for servers that ignore letter case, and dots and spaces at the end of a segment
 * (Express, ASP.NET and Windows, for example). The gate refuses a path that leads to another route in this table. Of two routes with paths that
 * are equal for such servers, the first one is found.
 *
 * @param routes Routes that `compileRoutes` has accepted.
 */
export function compileFoldedRoutes<R extends RoutePattern>(routes: readonly R[]): RouteTable<R> {
  const root = createNode<R>()
  for (const route of routes) {
    for (const set of getSets(addNode(root, foldPath(normalizePath(route.path))), route)) {
      if (route.methods === undefined) set.fallback ??= route
      for (const name of route.methods ?? []) {
        const method = name.toUpperCase()
        if (!set.byMethod.has(method)) set.byMethod.set(method, route)
      }
    }
  }
  return createTable(root, routes, foldPath)
}

function createTable<R extends RoutePattern>(
  root: RouteNode<R>,
  routes: readonly R[],
  toKey: (match: string) => string,
): RouteTable<R> {
  addHeads(root)
  const readsHosts = routes.some(({ hosts }) => hosts !== undefined)
  return {
    find(method, match, host) {
      const name = readsHosts && host !== undefined ? hostName(host) : undefined
      return findRoute(root, method, toKey(match), name)
    },
  }
}

/**
 * Returns the name or address in a value of `Host`, in the form of `hosts`: without the port, in lower case, and without
 * the dot at the end of a fully qualified name. Servers choose their virtual host by it.
 */
export function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
}

/** Every escape of a letter outside ASCII has one of `A` to `F`, because `match` has escapes in upper case. */
const FOLDED = /[A-Z]|(?:\.|%20)(?:\/|$)/
/** Without the lookbehind, each dot of a long run would be tried as its beginning: quadratic time. */
const TRAILING = /(?<!\.|%20)(?:\.|%20)+(?=\/|$)/g

function foldPath(path: string): string {
  if (!FOLDED.test(path)) return path
  // `toUpperCase` turns the long s into S, and `toLowerCase` the Kelvin sign into k.
  return decodeLetters(path).toUpperCase().toLowerCase().replaceAll(TRAILING, '')
}

/** Decodes escapes of UTF-8 outside ASCII. */
function decodeLetters(path: string): string {
  if (!path.includes('%')) return path
  return path.replaceAll(/(?:%[89A-F][0-9A-F])+/g, (escapes) => {
    const text = Buffer.from(escapes.replaceAll('%', ''), 'hex').toString()
    return text.includes('\ufffd') ? escapes : text
  })
}

function createNode<R>(): RouteNode<R> {
  return { byMethod: new Map(), fallback: undefined, byHost: undefined, children: new Map() }
}

/** Returns the sets of a node that a route belongs to: one for each of its hosts, or the set for all hosts. */
function getSets<R>(node: RouteNode<R>, { hosts }: RoutePattern): RouteSet<R>[] {
  if (hosts === undefined) return [node]
  const byHost = (node.byHost ??= new Map())
  return hosts.map((host) => {
    let set = byHost.get(host)
    if (set === undefined) byHost.set(host, (set = { byMethod: new Map(), fallback: undefined }))
    return set
  })
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
  for (const node of nodes) {
    for (const { byMethod } of [node, ...(node.byHost?.values() ?? [])]) {
      const get = byMethod.get('GET')
      if (get !== undefined && !byMethod.has('HEAD')) byMethod.set('HEAD', get)
    }
    for (const child of node.children.values()) nodes.push(child)
  }
}

/** Finds a route. Stops at the first segment that no route has, so that a long path costs no more than a short one. */
function findRoute<R>(
  root: RouteNode<R>,
  method: string,
  match: string,
  host: string | undefined,
): R | undefined {
  let found = selectRoute(root, method, host)
  let from = 1
  for (let node: RouteNode<R> | undefined = root; ;) {
    const slash = match.indexOf('/', from)
    node = node.children.get(slash === -1 ? match.slice(from) : match.slice(from, slash))
    if (node === undefined) return found
    found = selectRoute(node, method, host) ?? found
    if (slash === -1) return found
    from = slash + 1
  }
}

function selectRoute<R>(node: RouteNode<R>, method: string, host: string | undefined): R | undefined {
  const ofHost = host === undefined ? undefined : node.byHost?.get(host)
  return (ofHost && selectByMethod(ofHost, method)) ?? selectByMethod(node, method)
}

function selectByMethod<R>({ byMethod, fallback }: RouteSet<R>, method: string): R | undefined {
  return byMethod.get(method) ?? (isOrdinary(method) ? fallback : undefined)
}

function addRoute<R extends RoutePattern>(set: RouteSet<R>, route: R): void {
  const conflict = (what: string) =>
    new Error(`routes: two routes with the path ${route.path} and the same hosts ${what}.`)
  if (route.methods === undefined) {
    if (set.fallback !== undefined) throw conflict('have no "methods"; add "methods" to one of them')
    set.fallback = route
    return
  }
  if (route.methods.length === 0) {
    throw new Error(
      `routes: the route ${route.path} lists no method. List at least one, or omit "methods" to accept all methods.`,
    )
  }
  for (const name of route.methods) {
    const method = name.toUpperCase()
    if (set.byMethod.has(method)) throw conflict(`both list ${method}; remove it from one of them`)
    set.byMethod.set(method, route)
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
