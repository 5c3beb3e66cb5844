import autocannon from 'autocannon'
import type { Load, LoadResult } from '../load.js'

/** Runs autocannon in this process, on the core that wrk would use. Its median is in whole milliseconds. */
export async function loadWithAutocannon({
  url,
  tokens,
  first,
  connections,
  seconds,
}: Load): Promise<LoadResult> {
  const headers = tokens.map((token) => ({ authorization: `Bearer ${token}` }))
  let at = first
  const next = (request: autocannon.Request): autocannon.Request => {
    at = (at + 1) % headers.length
    return { ...request, headers: headers[at] }
  }
  const requests = headers.length > 1 ? { requests: [{ setupRequest: next }] } : {}
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    headers: headers[0] ?? {},
    ...requests,
  })
  return {
    requests: result.requests.total,
    seconds: result.duration,
    p50Milliseconds: result.latency.p50,
    failures: result.errors + result.non2xx,
  }
}
