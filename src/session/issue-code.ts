import { toSeconds } from '../clock.js'
import type { UnixSeconds } from '../clock.js'
import { newCode } from '../token/one-time-code.js'
import { hashSecret } from '../token/refresh-token.js'
import { rejectIfFull } from './issue.js'
import { requireLiving } from './living-session.js'
import type { SessionDependencies } from './dependencies.js'
import type { Sid } from './session.js'

/** The conditions under which a new code can be used. */
export interface CodeConditions {
  /** The PKCE challenge by the method `S256`. Default: none. */
  readonly challenge?: string | undefined
  /** The OAuth client that alone may use the code. Default: any. */
  readonly clientId?: string | undefined
}

export interface IssuedCode {
  readonly code: string
  /** Seconds until the code expires. */
  readonly expiresIn: UnixSeconds
}

/**
 * Issues a one-time code for a session. Whoever exchanges it begins another session of the same subject.
 *
 * @param sid The session of the caller's access token.
 * @throws {PortcullisError} `session_ended`, `reauthentication_required`, `overloaded`, `store_unavailable`
 */
export async function issueCode(
  dependencies: SessionDependencies,
  sid: Sid,
  { challenge, clientId }: CodeConditions,
): Promise<IssuedCode> {
  const { codes, clock } = dependencies
  if (codes === undefined) throw new TypeError('one-time codes are off (setting codes)')
  rejectIfFull(dependencies)
  const { sub } = await requireLiving(dependencies, sid)
  const code = newCode()
  const now = clock.now()
  await codes.store.create({
    hash: hashSecret(code),
    issuer: sid,
    sub,
    clientId,
    challenge,
    createdAt: now,
    expiresAt: now + codes.life,
  })
  return { code, expiresIn: toSeconds(codes.life) }
}
