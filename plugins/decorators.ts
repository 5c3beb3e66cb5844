import type { FastifyInstance } from 'fastify'
import { ConfigError } from '../src/config.js'
import type { PluginSettings } from '../src/config.js'
import type { AuthProperty, Guards } from './guards.js'

/** The property that has the verified token if the host wants no decorator for it. */
const HIDDEN_AUTH = Symbol('portcullis.auth')

/** Returns the property of a request that has the verified token. */
export function authPropertyOf({ auth }: PluginSettings['decorators']): AuthProperty {
  // The cast gives every name the type of `request.auth`.
  return (auth === false ? HIDDEN_AUTH : auth) as AuthProperty
}

/** Adds the guards and the property for the verified token under the names that the host has chosen. */
export function addDecorators(
  app: FastifyInstance,
  names: PluginSettings['decorators'],
  guards: Guards,
): void {
  if (names.authenticate !== false) app.decorate(names.authenticate, guards.authenticate)
  if (names.authorize !== false) app.decorate(names.authorize, guards.authorize)
  app.decorateRequest(authPropertyOf(names), null)
}

/**
 * Checks that the application has room for the plugin. Otherwise Fastify's own error would name only a decorator or a
 * route.
 *
 * @throws {ConfigError}
 */
export function checkRegistration(app: FastifyInstance, { decorators, keys }: PluginSettings): void {
  if (app.hasDecorator('portcullis')) {
    throw wrong(
      '',
      'portcullis is already registered on this application or on a parent of it. Register it once. For two issuers in one process, register each in a context of its own: app.register(async (context) => { await context.register(portcullis, …) }, { prefix: "/a" })',
    )
  }
  const jwks = '/.well-known/jwks.json'
  const isPublished = keys.verify === undefined && keys.jwks === undefined
  if (isPublished && app.hasRoute({ method: 'GET', url: app.prefix + jwks })) {
    throw wrong(
      '',
      `the application already has a route ${app.prefix}${jwks}. Register portcullis in a context with a prefix of its own, because one path can publish the keys of one issuer only`,
    )
  }
  const taken = new Set(['portcullis'])
  for (const decorator of ['authenticate', 'authorize'] as const) {
    const name = decorators[decorator]
    if (name !== false && (taken.has(name) || app.hasDecorator(name))) {
      throw wrong(
        `decorators.${decorator}`,
        `the application already has a decorator "${name}"; choose another name, or false (app.portcullis.${decorator} is always there)`,
      )
    }
    if (name !== false) taken.add(name)
  }
  const { auth } = decorators
  if (auth !== false && app.hasRequestDecorator(auth)) {
    throw wrong(
      'decorators.auth',
      `requests already have a decorator "${auth}"; choose another name, or false`,
    )
  }
}

function wrong(key: string, message: string): ConfigError {
  return new ConfigError([{ key, source: null, message }])
}
