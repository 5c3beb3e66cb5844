import type { ForwardedClient } from './forwarded-headers.js'
import type { HeaderRules } from './header-rules.js'

/** Returns header rules for one response, which also rewrite its redirects. */
export type RedirectRewriter = (rules: HeaderRules, client: ForwardedClient) => HeaderRules

/** An absolute URL of HTTP, or a network-path reference (RFC 3986 §4.2), without user information. */
const ABSOLUTE = /^(?:(https?):)?\/\/([^/?#\\@\s]+)(?=[/?#]|$)/i
/** An absolute path. Browsers read `//` and `/\` as the beginning of a host. */
const ABSOLUTE_PATH = /^\/(?![/\\])/
const NAMES = new Set(['location', 'content-location'])

/**
 * Creates a function that replaces references to the upstream itself in `Location` and `Content-Location` by paths under
 * the route's path. A relative `Location` is valid (RFC 9110 §10.2.2), and right for any public host and scheme.
 */
export function createRedirectRewriter(
  { path, rewritePrefix }: { readonly path: string; readonly rewritePrefix?: string | undefined },
  { targets }: { readonly targets: readonly { readonly origin: string }[] },
): RedirectRewriter {
  const origins = new Set(targets.map(({ origin }) => origin))
  const toPublic = (reference: string): string | undefined =>
    rewritePrefix === undefined ? reference : replacePrefix(reference, rewritePrefix, path)
  return (rules, client) => ({
    ...rules,
    response(raw) {
      const headers = rules.response(raw)
      for (let at = 0; at < headers.length; at += 2) {
        if (!NAMES.has(headers[at]!.toLowerCase())) continue
        const inner = findPath(headers[at + 1]!, origins, client)
        const rewritten = inner === undefined ? undefined : toPublic(inner)
        // Anything else would lead to another host.
        if (rewritten !== undefined && ABSOLUTE_PATH.test(rewritten)) headers[at + 1] = rewritten
      }
      return headers
    },
  })
}

/** Returns path, query and fragment of a reference to the upstream itself, or `undefined` if it is to another place. */
function findPath(
  value: string,
  origins: ReadonlySet<string>,
  { host, protocol }: ForwardedClient,
): string | undefined {
  const match = ABSOLUTE.exec(value)
  if (match === null) return ABSOLUTE_PATH.test(value) ? value : undefined
  const [{ length }, scheme = protocol, authority = ''] = match
  const origin = toOrigin(scheme, authority)
  // The upstream may have built the URL from the client's host. If it leads from http to https, the client must change
  // the scheme.
  const isPublic =
    host !== undefined && origin === toOrigin(scheme, host) && (scheme === 'http' || protocol === 'https')
  if (origin === undefined || (!origins.has(origin) && !isPublic)) return undefined
  const rest = value.slice(length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

function toOrigin(scheme: string, authority: string): string | undefined {
  const url = `${scheme}://${authority}`
  return URL.canParse(url) ? new URL(url).origin : undefined
}

/** Replaces the prefix of the upstream by the path of the route. Returns `undefined` if the path isn't beneath it. */
function replacePrefix(reference: string, prefix: string, path: string): string | undefined {
  const inner = prefix === '/' ? '' : prefix
  const rest = reference.slice(inner.length)
  if (!reference.startsWith(inner) || !/^(?:[/?#]|$)/.test(rest)) return undefined
  if (path === '/') return rest.startsWith('/') ? rest : `/${rest}`
  return path + rest
}
