/** Who a foreign API says has logged in: its answer, as the configuration maps it to a subject and claims. */
import { MAX_ID_LENGTH } from '../token/access-token.js'
import { valueAt } from './json-pointer.js'
import type { Identity } from '../session/session.js'

/** JSON pointers into the answer. */
export interface IdentityMapping {
  readonly subject: string
  /** By the name of the claim. */
  readonly claims: Readonly<Record<string, string>>
}

export type MappedIdentity =
  | { readonly kind: 'somebody'; readonly identity: Identity }
  /** The answer has no subject: many an API says 200 and in the body that it was wrong. */
  | { readonly kind: 'nobody' }
  /** It has something there that can't be used; `reason` is for the log. */
  | { readonly kind: 'unusable'; readonly reason: 'subject' | 'claims_too_large' }

/** All claims together, as JSON: an access token has to hold them, and headers the token. */
const MAX_CLAIMS_LENGTH = 4_096

/** @param answer A parsed JSON document. */
export function mapIdentity(answer: unknown, { subject, claims: pointers }: IdentityMapping): MappedIdentity {
  const found = valueAt(answer, subject)
  if (found === undefined || found === null) return { kind: 'nobody' }
  const sub = readSubject(found)
  if (sub === undefined) return { kind: 'unusable', reason: 'subject' }

  const claims: Record<string, unknown> = {}
  for (const [claim, pointer] of Object.entries(pointers)) {
    const value = valueAt(answer, pointer)
    const isLeftOut =
      value === undefined || value === null || (claim === 'scope' && typeof value !== 'string')
    if (!isLeftOut) claims[claim] = value
  }
  if (!fits(claims)) return { kind: 'unusable', reason: 'claims_too_large' }
  return { kind: 'somebody', identity: { sub, claims } }
}

/** A number that JSON.parse has rounded could be somebody else's; half a surrogate pair has no UTF-8. */
function readSubject(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  const isId = typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH
  return isId && !/\p{Cs}/u.test(value) ? value : undefined
}

function fits(claims: object): boolean {
  try {
    return JSON.stringify(claims).length <= MAX_CLAIMS_LENGTH
  } catch {
    // Nested too deeply to be written.
    return false
  }
}
