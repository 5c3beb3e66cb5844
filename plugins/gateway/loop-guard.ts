import type { FastifyRequest } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { createHopId, isLoop } from '../../src/gateway/loop.js'
import { createSampler } from '../../src/sample.js'

/** Refuses requests that a route has already forwarded. */
export interface LoopGuard {
  /** The id of the route, which its requests carry from then on. */
  readonly hopId: string
  /** @throws {PortcullisError} `upstream_loop`, and logs it */
  check(request: FastifyRequest): void
}

/** Returns a function that creates the guard of one route. All guards together log at most once per second. */
export function createLoopGuards(): (route: string, upstream: string) => LoopGuard {
  const sample = createSampler()
  return (route, upstream) => {
    const hopId = createHopId()
    return {
      hopId,
      check({ headers, log }) {
        if (!isLoop(headers, hopId)) return
        sample(() =>
          log.error(
            { event: 'upstream_loop', route, upstream },
            'a request came back to the route that had forwarded it; correct routes[].upstream, or where that server forwards requests to (logged at most once per second)',
          ),
        )
        throw new PortcullisError('upstream_loop')
      },
    }
  }
}
