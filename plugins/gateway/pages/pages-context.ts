/** What the routes of the pages have in common. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Core } from '../../../src/app/core.js'
import type { GatewaySettings } from '../../../src/config.js'
import type { ErrorCode, PortcullisError } from '../../../src/errors.js'
import { parseNext } from '../../../src/gateway/login-redirect.js'
import { pageUrl } from '../../../src/pages/frame.js'
import type { PageContext } from '../../../src/pages/frame.js'
import type { LoginReason } from '../../../src/pages/login-page-html.js'
import { chooseLanguage, parseLanguage } from '../../../src/pages/language.js'

export type PagesSettings = NonNullable<GatewaySettings['pages']>

export interface PagesDependencies {
  readonly core: Core
  readonly pages: PagesSettings
}

/** Pages have no inline styles and scripts, and no page of another site may show them in a frame. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  // With no-referrer, browsers would send our own forms with `Origin: null`.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

/** Returns the path below which the files of the pages are. */
export function filesPath({ settings }: Pick<Core, 'settings'>): string {
  return `${settings.prefix}/pages`
}

/** Returns the context of a page for one request. */
export function pageContext({ core, pages }: PagesDependencies, request: FastifyRequest): PageContext {
  const { lang } = queryOf(request)
  return {
    title: pages.title,
    files: filesPath(core),
    hasLogo: pages.logo !== undefined,
    hasStylesheet: pages.stylesheet !== undefined,
    login: pages.login,
    account: pages.account,
    language: chooseLanguage(lang, request.headers['accept-language']),
    isNamed: parseLanguage(lang) !== undefined,
  }
}

export function sendPage(reply: FastifyReply, status: number, page: string): FastifyReply {
  return reply.code(status).headers(PAGE_HEADERS).type('text/html; charset=utf-8').send(page)
}

/** Sends the browser to a path on this origin, with GET (RFC 9110 §15.4.4). */
export function seeOther(reply: FastifyReply, location: string): FastifyReply {
  return reply.code(303).headers({ 'referrer-policy': 'same-origin', location }).send()
}

/** Returns the URL of the login page in the language of the request. */
export function loginPageUrl(
  context: PageContext,
  query: { readonly next?: string | undefined; readonly reason?: LoginReason | undefined },
): string {
  return pageUrl(context, context.login, query)
}

/** Returns the fields of a form or a query that have exactly one value. */
export function fieldsOf(fields: unknown): Readonly<Record<string, string | undefined>> {
  const entries = Object.entries((fields ?? {}) as Record<string, unknown>)
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

export function queryOf(request: FastifyRequest): Readonly<Record<string, string | undefined>> {
  return fieldsOf(request.query)
}

/** Returns the path to return to after a login, unless it is the login page itself. */
export function nextOf(
  fields: Readonly<Record<string, string | undefined>>,
  { login }: Pick<PagesSettings, 'login'>,
): string | undefined {
  const next = parseNext(fields['next'])
  return next?.split('?', 1)[0] === login ? undefined : next
}

/** Returns the seconds of `Retry-After`. */
export function waitOf({ headers }: PortcullisError): number | undefined {
  const seconds = Number(headers['retry-after'])
  return Number.isInteger(seconds) && seconds > 0 ? seconds : undefined
}

const REASONS: Partial<Record<ErrorCode, LoginReason>> = {
  session_ended: 'ended',
  token_revoked: 'ended',
  reauthentication_required: 'ended',
  refresh_token_expired: 'ended',
  refresh_limit_reached: 'ended',
  signed_in_elsewhere: 'elsewhere',
  refresh_token_reused: 'reused',
}

/** Returns the reason that the login page shows after an error, if it has one. */
export function reasonOf(code: ErrorCode): LoginReason | undefined {
  return REASONS[code]
}
