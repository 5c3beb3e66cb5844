/** One stretch of load on one peer, by one of the drivers. */
import type { Driver } from './options.js'
import { loadWithAutocannon } from './load/autocannon.js'
import { loadWithWrk } from './load/wrk.js'

export interface Load {
  /** Called by `GET /`. */
  readonly url: string
  /** Sent in turn, as `Authorization: Bearer …`; none: requests without a token. */
  readonly tokens: readonly string[]
  /** The same, one a line, in a file. */
  readonly tokensFile: string
  /** The token to begin with, so that a stretch goes on where the last one ended. */
  readonly first: number
  readonly connections: number
  readonly seconds: number
}

export interface LoadResult {
  /** Answered. */
  readonly requests: number
  readonly seconds: number
  readonly p50Milliseconds: number
  /** Requests that failed, or were answered by anything but a 2xx. */
  readonly failures: number
}

const LOADS: Record<Driver, (load: Load) => Promise<LoadResult>> = {
  wrk: loadWithWrk,
  autocannon: loadWithAutocannon,
}

/** @throws when a single request wasn't answered by a 2xx: what was measured then is something else */
export async function load(driver: Driver, what: Load): Promise<LoadResult> {
  const result = await LOADS[driver](what)
  if (result.requests === 0) throw new Error(`${what.url} answered no request in ${what.seconds} s`)
  if (result.failures > 0) throw new Error(`${what.url}: ${result.failures} of ${result.requests} failed`)
  return result
}
