import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PortcullisError } from '../src/errors.js'
import { parseRefusalOptions, parseRefusals, parseScopeNeeds } from './guard-options.js'
import type { RefusalOptions } from './guard-options.js'
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
    {
      optional: createGuard(({ authenticate }) => authenticate.optional),
      with(options: RefusalOptions) {
        parseRefusalOptions(options)
        return createGuard(onePerPlugin((plugin) => plugin.authenticate.with(options)))
      },
    },
  ),
  authorize(needs) {
    parseScopeNeeds(needs)
    parseRefusals('authorize', needs)
    return createGuard(onePerPlugin((plugin) => plugin.authorize(needs)))
  },
}

/** Returns a function that creates the guard once for each plugin. */
function onePerPlugin(create: (plugin: Guards) => Guard): (plugin: Guards) => Guard {
  const guards = new WeakMap<Guards, Guard>()
  return (plugin) => {
    let guard = guards.get(plugin)
    if (!guard) guards.set(plugin, (guard = create(plugin)))
    return guard
  }
}

/**
 * Creates a guard that calls the plugin's guard. It refuses with 500 and logs an error if there is no plugin, or if the
 * plugin has no login page for a guard that redirects.
 */
function createGuard(find: (plugin: Guards) => Guard): Guard {
  return ((request: FastifyRequest, reply: FastifyReply, done?: (error?: Error) => void) => {
    let guard: Guard
    try {
      const plugin = (request.server as Partial<FastifyInstance>).portcullis
      if (plugin === undefined) throw new Error(NO_PLUGIN)
      guard = find(plugin)
    } catch (cause) {
      const detail = 'The server log has the cause under this request_id.'
      const error = new PortcullisError('internal_error', { detail, cause })
      sendError(request, reply, error)
      return done ? undefined : Promise.reject(error)
    }
    return done ? guard(request, reply, done) : guard(request, reply)
  }) as Guard
}

const NO_PLUGIN =
  'The guard of a route found no portcullis plugin. Register the plugin on the application of the route, or on a parent.'
