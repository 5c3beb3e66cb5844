import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import { Compile } from 'typebox/compile'
import type { TSchema } from 'typebox'
import { PortcullisError } from '../../src/errors.js'
import { OWN_HEADERS } from '../own-headers.js'
import { sendError, toPortcullisError } from '../problem-details.js'

/** Largest request body of Portcullis' own routes, in bytes. */
const BODY_LIMIT = 16_384

/** Marks the contexts of Portcullis' own routes. Shared by all registrations in one process. */
const OWN = Symbol.for('portcullis.own')

/** Returns true if the route of a request is one of Portcullis' own. */
export function isOwnRoute({ server }: FastifyRequest): boolean {
  return (server as { [OWN]?: true })[OWN] === true
}

/**
 * Sets the validator, serializers, parsers and error handler of a context. Without this, the context would inherit
 * those of the host's application.
 */
export function makeOurOwn(context: FastifyInstance): void {
  context.decorate(OWN, true)
  context.setErrorHandler((error, request, reply) => sendError(request, reply, toPortcullisError(error)))
  context.setValidatorCompiler(({ schema }) => {
    const compiled = Compile(schema as TSchema)
    return (value: unknown) => {
      // Validate a missing body as an empty one, so that the error names the missing field.
      const body = value ?? {}
      if (compiled.Check(body)) return { value: body }
      const [first] = compiled.Errors(body)
      const where = first?.instancePath.slice(1).replaceAll('/', '.') || 'the body'
      return {
        error: new PortcullisError('invalid_request', {
          detail: `${where}: ${first?.message ?? 'not valid'}.`,
        }),
      }
    }
  })
  context.setSerializerCompiler(() => (value) => JSON.stringify(value))
  context.setReplySerializer((value) => JSON.stringify(value))
  context.removeAllContentTypeParsers()
  context.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: BODY_LIMIT },
    (request, text, done) => {
      if (text === '') return done(null, undefined)
      return context.getDefaultJsonParser('error', 'error')(request, text as string, done)
    },
  )
  context.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: BODY_LIMIT },
    (_request, text, done) => {
      try {
        done(null, parseForm(text as string))
      } catch (error) {
        done(error as Error, undefined)
      }
    },
  )
  context.addHook('onRequest', (_request, reply, done) => {
    reply.headers({ ...OWN_HEADERS, 'cache-control': 'no-store' })
    done()
  })
}

/**
 * Parses a form. RFC 6749 §3.1 forbids repeated parameters.
 *
 * @throws {PortcullisError} `invalid_request`
 */
function parseForm(text: string): Record<string, string> {
  const form: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in form) throw new PortcullisError('invalid_request', { detail: `${name}: give it only once.` })
    form[name] = value
  }
  return form
}

/** Keeps a route out of a host's documentation (@fastify/swagger). */
export const HIDDEN: FastifySchema & { readonly hide: true } = { hide: true }

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Sends 405 for all other methods of the routes that `register` adds. OPTIONS is left to CORS. */
export function withMethodNotAllowed(context: FastifyInstance, register: () => void): void {
  const known = new Map<string, Set<string>>()
  let isDone = false
  context.addHook('onRoute', ({ method, routePath }) => {
    if (isDone) return
    const methods = known.get(routePath) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    known.set(routePath, methods)
  })
  register()
  isDone = true
  for (const [url, methods] of known) {
    const allow = [...methods].join(', ')
    const others = METHODS.filter(
      (method) => !methods.has(method) && !(method === 'HEAD' && methods.has('GET')),
    )
    context.route({
      method: others,
      url,
      schema: HIDDEN,
      onRequest: (request, reply) => {
        sendError(request, reply, new PortcullisError('method_not_allowed', { headers: { allow } }))
      },
      handler: () => undefined,
    })
  }
}
