/** A logout: ends the session of each token that was presented, or all of the subject's, or all but this one. */
import { Refusal } from '../errors.js'
import { hashSecret } from '../token/refresh-token.js'
import type { RefreshToken } from '../token/refresh-token.js'
import { endSessions } from './end.js'
import type { Target } from './end.js'
import type { SessionPorts } from './ports.js'
import type { Sid } from './session.js'

export interface Presented {
  /** The `sid` of an access token of ours, expired or not. */
  readonly access?: Sid | undefined
  readonly refresh?: RefreshToken | undefined
}

/**
 * Ends the sessions of the tokens presented, once or again. When it returns, every instance has stopped accepting
 * each of them.
 *
 * @throws {Refusal} `refresh_token_invalid` if none of them was one of ours; `store_unavailable`
 */
export async function logout(ports: SessionPorts, { access, refresh }: Presented): Promise<void> {
  const targets: Target[] = []
  if (access !== undefined) targets.push({ sid: access })
  if (refresh && refresh.sid !== access) {
    targets.push({ sid: refresh.sid, familyHash: hashSecret(refresh.family) })
  }
  const outcomes = await endSessions(ports, targets, 'logout')
  if (outcomes.every(({ kind }) => kind === 'foreign')) {
    throw new Refusal('refresh_token_invalid', { reason: 'family' })
  }
}

/**
 * Ends all sessions that the subject has now, or all but one. Each by its `sid`: exact, and a login in the same second
 * works.
 *
 * @throws {Refusal} `store_unavailable`
 */
export async function logoutAll(
  ports: SessionPorts,
  sub: string,
  { except }: { except?: Sid | undefined } = {},
): Promise<void> {
  const sessions = await ports.store.list(sub, ports.clock.now())
  await endSessions(
    ports,
    sessions.filter(({ sid }) => sid !== except).map(({ sid }) => ({ sid })),
    'logout',
  )
}
