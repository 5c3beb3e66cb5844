/**
 * The two token schemes. Both exchange a token for its successor, and the store decides about both in the same atomic
 * step.
 *
 * - `dual`: the refresh token is exchanged. Its secret is known to nobody but the client.
 * - `single`: the access token itself is exchanged. Its secret is the end of its `jti`. That is no secret, but the
 *   signature of the access token proves that the client has the token.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { JTI_PREFIX_LENGTH } from '../revocation/entry.js'
import { deriveSuccessor, newRefreshToken } from './refresh-token.js'
import type { RefreshToken } from './refresh-token.js'
import type { Sid } from '../session/session.js'

export const SCHEMES = ['dual', 'single'] as const
export type SchemeName = (typeof SCHEMES)[number]

/** The length of a `jti` without its prefix. */
const JTI_LENGTH = 22

export interface Scheme {
  readonly name: SchemeName
  /** Returns the first exchangeable token of a new session. Its `sid` is the id of that session. */
  newToken(): RefreshToken
  /** Returns the token that replaces `parent`. Equal salts give equal tokens. */
  successor(parent: RefreshToken, salt: string): RefreshToken
  /**
   * Returns the `jti`, without its prefix, of the access token that is issued with an exchangeable token. The `jti` isn't random, because a
   * retry must issue an equal access token.
   */
  jti(token: RefreshToken): string
}

const dual: Scheme = {
  name: 'dual',
  newToken: newRefreshToken,
  successor: deriveSuccessor,
  jti: ({ secret }) => createHmac('sha256', secret).update('jti').digest('base64url').slice(0, JTI_LENGTH),
}

const single: Scheme = {
  name: 'single',
  newToken() {
    const { sid } = newRefreshToken()
    return toSingleToken(sid, randomBytes(16).toString('base64url'))
  },
  successor: (parent, salt) => toSingleToken(parent.sid, deriveSuccessor(parent, salt).secret),
  jti: ({ secret }) => secret,
}

/** The schemes by name. */
export const schemes: Readonly<Record<SchemeName, Scheme>> = { dual, single }

/** Returns the exchangeable token that an access token of the single scheme is. */
export function singleTokenOf({ sid, jti }: { readonly sid: string; readonly jti: string }): RefreshToken {
  return toSingleToken(sid as Sid, jti.slice(JTI_PREFIX_LENGTH))
}

/** The family is the `sid`, because the signature already protects against invented tokens, as a family does elsewhere. */
function toSingleToken(sid: Sid, secret: string): RefreshToken {
  return { sid, family: sid, secret: secret.slice(0, JTI_LENGTH) }
}
