import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PortcullisError } from '../src/errors.js'
import { parseScopeNeeds } from './guards.js'
import type { Guard, Guards } from './guards.js'
import { sendError } from './problem-details.js'

/**
 * Guards for `import { authenticate, authorize } from 'portcullis'`. They find the plugin when a request comes, so they
 * may be declared before it is registered. (A decorator that isn't there yet is `undefined`, which Fastify takes for no
 * hook at all: the route would be public.)
 */
export const importedGuards: Guards = {
  authenticate: Object.assign(
    createGuard(({ authenticate }) => authenticate),
    { optional: createGuard(({ authenticate }) => authenticate.optional) },
  ),
  authorize(needs) {
    parseScopeNeeds(needs)
    const guards = new WeakMap<Guards, Guard>()
    return createGuard((plugin) => {
      let guard = guards.get(plugin)
      if (!guard) guards.set(plugin, (guard = plugin.authorize(needs)))
      return guard
    })
  },
}

/** Refuses with 500, and logs why, where the plugin isn't registered. */
function createGuard(find: (plugin: Guards) => Guard): Guard {
  return ((request: FastifyRequest, reply: FastifyReply, done?: (error?: Error) => void) => {
    const plugin = (request.server as Partial<FastifyInstance>).portcullis
    if (plugin !== undefined) {
      const guard = find(plugin)
      return done ? guard(request, reply, done) : guard(request, reply)
    }
    const error = new PortcullisError('internal_error', {
      detail: 'The log has more, under the request_id.',
      cause: new Error(
        'A guard found no portcullis. Register it on the application of this route, or above.',
      ),
    })
    sendError(request, reply, error)
    return done ? undefined : Promise.reject(error)
  }) as Guard
}
