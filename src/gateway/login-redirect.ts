/** Redirects of browsers to the login page, for proxied routes, guards and forward-auth. */
import type { IncomingHttpHeaders } from 'node:http'
import { isHandshake } from '../token/csrf.js'
import { withoutQueryTokens } from '../token/query-token.js'
import { checkTarget } from './request-target.js'
import type { CheckedTarget } from './request-target.js'

/**
 * Returns true if a browser opens a page: a GET or HEAD that accepts HTML. Browsers say so in `Sec-Fetch-Mode`, too,
 * which distinguishes a page from a script that accepts HTML (Fetch Metadata §2.2). Older ones, and all without https,
 * leave it out.
 */
export function isNavigation(method: string, headers: IncomingHttpHeaders): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const mode = headers['sec-fetch-mode']
  if (mode !== undefined && mode !== 'navigate') return false
  if (headers.upgrade !== undefined || isHandshake(headers)) return false
  return /(?:^|[\s,])text\/html(?![^\s,;])/i.test(headers.accept ?? '')
}

/**
 * Returns the URL of the login page, with the path and query of the request as `next`, without access tokens. Leaves
 * `next` out if the request target is irregular, because a browser could read it as another origin.
 *
 * @param page A path on this origin, or a URL.
 * @param origin An origin of our own that `next` begins with. If it is empty, `next` is a path.
 * @returns `undefined` if the request is for the login page itself, because the browser would be redirected for ever.
 */
export function loginUrl(page: string, target: CheckedTarget, origin = ''): string | undefined {
  if (!target.ok) return page
  const [pagePath] = page.split('?', 1)
  if (target.match === pagePath) return undefined
  const next = origin + withoutQueryTokens(target.raw)
  return `${page}${page.includes('?') ? '&' : '?'}next=${encodeURIComponent(next)}`
}

/** The limit for a target in `next`. Longer ones are left out. */
export const NEXT_LIMITS = { target: 8_192 }

/**
 * Returns the path and query that a browser may return to after a login, or `undefined` if `next` is anything but a
 * regular path on this origin. It applies the same rules as `loginUrl`, so it accepts each path that `loginUrl` writes,
 * and nothing that a browser could read as another origin, such as `//evil.example` or `/\\evil.example`.
 *
 * @example
 * parseNext('/orders?page=2') // '/orders?page=2'
 * parseNext('https://evil.example/') // undefined
 */
export function parseNext(next: string | undefined): string | undefined {
  const target = checkTarget(next, NEXT_LIMITS)
  return target.ok ? withoutQueryTokens(target.raw) : undefined
}
