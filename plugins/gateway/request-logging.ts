import fastify from 'fastify'
import type { FastifyServerOptions } from 'fastify'

/**
 * Returns the options that turn Fastify's lines for each request off. The first versions of Fastify 5 have no
 * `LogController`, so it isn't imported by name: not even `portcullis --help` would work with them.
 */
export function withoutRequestLines(): Pick<FastifyServerOptions, 'logController' | 'disableRequestLogging'> {
  const { LogController } = fastify as Partial<typeof fastify>
  const options = { disableRequestLogging: true }
  return LogController === undefined ? options : { logController: new LogController(options) }
}
