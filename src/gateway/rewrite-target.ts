/**
 * Returns the request target with the path of its route replaced by another prefix. All other bytes stay the same.
 *
 * @param raw A target that was checked by `checkTarget` and that matches the route.
 *
 * @example
 * rewriteTarget('/orders/7?full', '/orders', '/v2') // '/v2/7?full'
 */
export function rewriteTarget(raw: string, routePath: string, prefix: string): string {
  const query = raw.indexOf('?')
  const end = query === -1 ? raw.length : query
  let at = 0
  for (let remaining = countSegments(routePath); remaining > 0 && at < end; remaining -= 1) {
    const slash = raw.indexOf('/', at + 1)
    at = slash === -1 || slash > end ? end : slash
  }
  const rest = raw.slice(at)
  const start = prefix === '/' ? '' : prefix
  return start === '' && !rest.startsWith('/') ? `/${rest}` : start + rest
}

function countSegments(path: string): number {
  return path === '/' ? 0 : path.split('/').length - 1
}
