import { readLoginPage } from '../src/config/http-values.js'
import type { Requirements } from '../src/token/admission.js'

/** Scopes that a token must have. Each field is a list, or a text with spaces between scopes (RFC 6749 §3.3). */
export interface ScopeNeeds {
  /** The token needs all of these scopes. */
  readonly scope?: string | readonly string[]
  /** The token needs at least one of these scopes. */
  readonly anyScope?: string | readonly string[]
}

/** How a guard refuses a request. */
export interface RefusalOptions {
  /**
   * `true` replaces refusals by your application's own 404, so that nobody without access sees that the route exists. A
   * 5xx is still sent. Everybody can then reach your not-found handler, so it must not serve what needs a token. A hidden
   * guard on the handler itself has no effect. With `refusals: 'throw'`, the guard throws a `PortcullisError` `not_found`,
   * whose `cause` is the original error. Default: `false`.
   */
  readonly hidden?: boolean
  /**
   * The response to a browser that opens a page without a good token: 401, or 302 to the login page with `next`, the path
   * and query of the request. Other requests get 401 in either case. Default: `refuse`.
   */
  readonly onAnonymous?: 'refuse' | 'redirect'
  /** The path or URL of the login page, for `onAnonymous: 'redirect'`. Default: the option `login.page` of the plugin. */
  readonly loginPage?: string
}

/** What `authorize` takes. */
export type GuardNeeds = ScopeNeeds & RefusalOptions

/** Parsed options. `redirect` without a `loginPage` uses the one of the plugin. */
export interface RefusalSettings {
  readonly hidden: boolean
  readonly redirect: boolean
  readonly loginPage: string | undefined
}

/** The settings of a guard without options. */
export const PLAIN_REFUSALS: RefusalSettings = { hidden: false, redirect: false, loginPage: undefined }

const REFUSAL_FIELDS = ['hidden', 'onAnonymous', 'loginPage']

/**
 * Returns the scopes as lists. Checks at run time too, because a host in plain JavaScript has no type checks.
 *
 * @throws {TypeError} if `needs` has an unknown field, an invalid scope, or no scope, which would admit every token
 */
export function parseScopeNeeds(needs: GuardNeeds): Pick<Requirements, 'scope' | 'anyScope'> {
  if (typeof needs === 'string' || Array.isArray(needs))
    throw new TypeError("authorize: name the scopes in a field, as in authorize({ scope: 'admin' })")
  refuseUnknown('authorize', needs, ['scope', 'anyScope', ...REFUSAL_FIELDS])
  const scope = parseScopes('scope', needs?.scope)
  const anyScope = parseScopes('anyScope', needs?.anyScope)
  if (scope === undefined && anyScope === undefined)
    throw new TypeError("authorize: no scope given; write authorize({ scope: 'admin' }), for example")
  return { scope: scope ?? [], anyScope }
}

function parseScopes(name: string, given: string | readonly string[] | undefined): string[] | undefined {
  if (given === undefined) return undefined
  const scopes = typeof given === 'string' ? given.split(' ').filter((one) => one !== '') : [...given]
  if (scopes.length > 0 && scopes.every((one) => typeof one === 'string' && /^[!#-[\]-~]+$/.test(one)))
    return scopes
  throw new TypeError(
    `authorize: ${name} must be a list of scopes, or a text with spaces between them (RFC 6749 §3.3)`,
  )
}

/**
 * Returns the options of `authenticate.with`.
 *
 * @throws {TypeError} if an option is unknown or has no effect, or its value is invalid
 */
export function parseRefusalOptions(options: RefusalOptions): RefusalSettings {
  const guard = 'authenticate.with'
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new TypeError(`${guard}: pass options, as in ${guard}({ hidden: true })`)
  refuseUnknown(guard, options, REFUSAL_FIELDS)
  return parseRefusals(guard, options)
}

/**
 * Returns the options that every guard has.
 *
 * @param guard The name of the guard, for error messages.
 * @throws {TypeError} if an option has no effect, or its value is invalid
 */
export function parseRefusals(
  guard: string,
  { hidden = false, onAnonymous = 'refuse', loginPage }: RefusalOptions,
): RefusalSettings {
  if (typeof hidden !== 'boolean') throw new TypeError(`${guard}: hidden must be true or false`)
  if (onAnonymous !== 'refuse' && onAnonymous !== 'redirect')
    throw new TypeError(`${guard}: onAnonymous must be 'refuse' or 'redirect'`)
  const redirect = onAnonymous === 'redirect'
  if (hidden && redirect)
    throw new TypeError(`${guard}: a redirect reveals a hidden route; choose hidden or onAnonymous`)
  if (loginPage === undefined) return { hidden, redirect, loginPage }
  if (!redirect) throw new TypeError(`${guard}: loginPage has an effect only with onAnonymous: 'redirect'`)
  return { hidden, redirect, loginPage: parseLoginPage(guard, loginPage) }
}

function parseLoginPage(guard: string, page: string): string {
  try {
    return readLoginPage(page, JSON.stringify(page), {})
  } catch (error) {
    throw new TypeError(`${guard}: loginPage: ${(error as Error).message}`, { cause: error })
  }
}

function refuseUnknown(guard: string, options: object | undefined, known: readonly string[]): void {
  const unknown = Object.keys(options ?? {}).filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new TypeError(`${guard}: unknown field ${unknown.join(', ')}; use ${known.join(', ')}`)
}
