import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PortcullisError } from '../src/errors.js'
import { parseScopeNeeds } from './guards.js'
import type { Guard, Guards } from './guards.js'
import { sendError } from './problem-details.js'

/**
 * Guards for `import { authenticate, authorize } from 'portcullis'`. They look up the plugin when a request arrives, so
 * a route can use them before the plugin is registered. A decorator such as `app.authenticate` is `undefined` until
 * then. Fastify treats an `undefined` hook as no hook, so the route would be public.
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

/** Creates a guard that calls the plugin's guard. It refuses with 500 and logs an error if there is no plugin. */
function createGuard(find: (plugin: Guards) => Guard): Guard {
  return ((request: FastifyRequest, reply: FastifyReply, done?: (error?: Error) => void) => {
    const plugin = (request.server as Partial<FastifyInstance>).portcullis
    if (plugin !== undefined) {
      const guard = find(plugin)
      return done ? guard(request, reply, done) : guard(request, reply)
    }
    const error = new PortcullisError('internal_error', {
      detail: 'The server log has the cause under this request_id.',
      cause: new Error(
        'The guard of a route found no portcullis plugin. Register the plugin on the application of the route, or on a parent.',
      ),
    })
    sendError(request, reply, error)
    return done ? undefined : Promise.reject(error)
  }) as Guard
}
