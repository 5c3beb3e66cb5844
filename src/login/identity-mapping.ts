/** Maps the response of an external login API to a subject and claims, as the configuration says. */
import { valueAt } from './json-pointer.js'
import type { Identity } from '../session/session.js'
import { toSubject } from '../token/subject.js'
import type { CheckedUser } from './user-check.js'

/** JSON pointers (RFC 6901) into the response. */
export interface IdentityMapping {
  /** The pointer to the subject. */
  readonly subject: string
  /** A pointer per claim, by the name of the claim. */
  readonly claims: Readonly<Record<string, string>>
}

/** The result of `mapIdentity`. */
export type MappedIdentity =
  | { readonly kind: 'somebody'; readonly identity: Identity }
  /** The response has no subject. Many APIs respond to wrong credentials with 200 and an error in the body. */
  | { readonly kind: 'nobody' }
  /** The response has a subject or claims that can't be used. `reason` is for the log. */
  | { readonly kind: 'unusable'; readonly reason: 'subject' | 'claims_too_large' }

/**
 * Maximum length of all claims as JSON, in characters. They must fit into an access token, and the token into a header.
 */
const MAX_CLAIMS_LENGTH = 4_096

/**
 * Returns the identity in a response.
 *
 * Claims that are absent or `null` are left out, and so is a `scope` that isn't a string.
 *
 * @param response A parsed JSON document.
 * @example
 * ```ts
 * mapIdentity({ user: { id: 7, role: 'admin' } }, { subject: '/user/id', claims: { role: '/user/role' } })
 * // { kind: 'somebody', identity: { sub: '7', claims: { role: 'admin' } } }
 * ```
 */
export function mapIdentity(
  response: unknown,
  { subject, claims: pointers }: IdentityMapping,
): MappedIdentity {
  const found = valueAt(response, subject)
  if (found === undefined || found === null) return { kind: 'nobody' }
  const sub = toSubject(found)
  if (sub === undefined) return { kind: 'unusable', reason: 'subject' }

  const claims = mapClaims(response, pointers)
  if (!fits(claims)) return { kind: 'unusable', reason: 'claims_too_large' }
  return { kind: 'somebody', identity: { sub, claims } }
}

/** The result of `mapUpdate`. */
export type MappedUpdate =
  | { readonly kind: 'update'; readonly update: CheckedUser }
  /**
   * `subject`: the response is about another user. `empty`: it has neither the subject nor one of the claims, so it may
   * be an error with the status 200.
   */
  | { readonly kind: 'unusable'; readonly reason: 'subject' | 'empty' | 'claims_too_large' }

/**
 * Returns the scope and the claims in a response about a user who is known already. The response may lack the
 * subject. Claims that the response lacks are removed. Without a `scope` in the response the user has none, unless no
 * pointer to the scope is set.
 *
 * @param sub The subject that the response must be about.
 */
export function mapUpdate(
  response: unknown,
  sub: string,
  { subject, claims: pointers }: IdentityMapping,
): MappedUpdate {
  const found = valueAt(response, subject) ?? undefined
  if (found !== undefined && toSubject(found) !== sub) return { kind: 'unusable', reason: 'subject' }
  const { scope, ...claims } = mapClaims(response, pointers)
  const isEmpty = scope === undefined && Object.keys(claims).length === 0
  if (found === undefined && isEmpty) return { kind: 'unusable', reason: 'empty' }
  if (!fits({ scope, ...claims })) return { kind: 'unusable', reason: 'claims_too_large' }
  const names = Object.keys(pointers)
  const update = {
    ...(names.includes('scope') && { scope: typeof scope === 'string' ? scope : '' }),
    ...(names.some((name) => name !== 'scope') && { claims }),
  }
  return { kind: 'update', update }
}

function mapClaims(response: unknown, pointers: IdentityMapping['claims']): Record<string, unknown> {
  const claims: Record<string, unknown> = {}
  for (const [claim, pointer] of Object.entries(pointers)) {
    const value = valueAt(response, pointer)
    const isLeftOut =
      value === undefined || value === null || (claim === 'scope' && typeof value !== 'string')
    if (!isLeftOut) claims[claim] = value
  }
  return claims
}

function fits(claims: object): boolean {
  try {
    return JSON.stringify(claims).length <= MAX_CLAIMS_LENGTH
  } catch {
    // JSON.stringify throws a RangeError if the claims are nested too deeply.
    return false
  }
}
