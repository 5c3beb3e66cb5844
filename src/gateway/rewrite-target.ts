/**
 * The target with the path of its route replaced by another prefix; the rest byte for byte.
 *
 * @param raw A target that was judged, and that the route covers, so that its first segments are the route's.
 */
export function rewriteTarget(raw: string, routePath: string, prefix: string): string {
  const query = raw.indexOf('?')
  const end = query === -1 ? raw.length : query
  let at = 0
  for (let left = countSegments(routePath); left > 0 && at < end; left -= 1) {
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
