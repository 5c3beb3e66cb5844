/** Converts sessions to the fields of their records in Redis, and back. */
import type { Session, Sid } from '../session/session.js'
import type { SESSION_FIELDS } from './session-scripts.js'

/** The values of `SESSION_FIELDS`, in this order. */
export type Fields = (string | null)[]

/** Returns the fields of a session's record without its secrets. `undefined` values are left out. */
export function toFields(session: Session): Record<string, string> {
  const fields: Record<(typeof SESSION_FIELDS)[number], string | undefined> = {
    sub: session.sub,
    client: session.clientId,
    scope: session.scope,
    claims: JSON.stringify(session.claims),
    device: session.device,
    ip: session.ip,
    agent: session.userAgent,
    created: String(session.createdAt),
    seen: String(session.lastSeenAt),
    ends: String(session.endsAt),
    expires: String(session.expiresAt),
    count: String(session.refreshCount),
    mark: session.jtiPrefix,
    loginMark: session.loginJtiPrefix,
    issued: toText(session.rotatedIssuedAt),
    accessLife: toText(session.accessLife),
    idle: toText(session.idle),
    startedBy: session.startedBy,
    loggedIn: toText(session.loggedInAt),
    credential: session.credential,
    browser: session.endsWithBrowser === true ? '1' : undefined,
  }
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function toText(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}

function toNumber(text: string | null | undefined): number | undefined {
  return text == null ? undefined : Number(text)
}

/** Returns the session in the values of `SESSION_FIELDS`, or `undefined` if there is no record. */
export function toSession(sid: Sid, fields: Fields): Session | undefined {
  const [
    sub,
    client,
    scope,
    claims,
    device,
    ip,
    agent,
    created,
    seen,
    ends,
    expires,
    count,
    mark,
    loginMark,
    issued,
    accessLife,
    idle,
    startedBy,
    loggedIn,
    credential,
    browser,
  ] = fields
  if (sub == null || client == null || claims == null) return undefined
  return {
    sid,
    sub,
    clientId: client,
    scope: scope ?? undefined,
    claims: JSON.parse(claims) as Session['claims'],
    device: device ?? undefined,
    ip: ip ?? undefined,
    userAgent: agent ?? undefined,
    createdAt: Number(created),
    lastSeenAt: Number(seen),
    endsAt: Number(ends),
    expiresAt: Number(expires),
    refreshCount: Number(count),
    jtiPrefix: mark ?? '',
    loginJtiPrefix: loginMark ?? undefined,
    rotatedIssuedAt: toNumber(issued),
    accessLife: toNumber(accessLife),
    idle: toNumber(idle),
    startedBy: (startedBy ?? undefined) as Sid | undefined,
    loggedInAt: toNumber(loggedIn),
    credential: credential ?? undefined,
    endsWithBrowser: browser === '1',
  }
}
