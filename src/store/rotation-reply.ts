import type { UnixMs } from '../clock.js'
import type { EndReason, Sid } from '../session/session.js'
import { toSession } from './session-record.js'
import type { Fields } from './session-record.js'
import type { RotationOutcome } from './session-store.js'

/** The reply of the script `rotateSession` (`session-scripts.ts`). The values depend on the kind of the outcome. */
export type RotationReply = [kind: RotationOutcome['kind'], ...values: unknown[]]

/** Returns the outcome of a rotation from the reply of its script. */
export function parseRotation(
  sid: Sid,
  [kind, first, second, third, fourth]: RotationReply,
  cutoff: UnixMs | undefined,
): RotationOutcome {
  switch (kind) {
    case 'rotated':
    case 'retried': {
      const session = toSession(sid, first as Fields)!
      const former = { jtiPrefix: second as string, at: Number(third) }
      if (kind === 'rotated') return { kind, session, former, cutoff }
      return { kind, session, former, cutoff, salt: fourth as string }
    }
    case 'reused':
      return { kind, sub: first as string }
    case 'ended':
      return { kind, sub: first as string, reason: second as EndReason, endedAt: Number(third) }
    default:
      return { kind }
  }
}
