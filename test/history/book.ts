/** The tokens that the clients hold, for choosing what to do next; the checker has its own opinion. */
import type { Random } from '../simulation/random.js'
import type { AccessToken, Operation, Scope } from './history.js'
import { isIndeterminate, succeeded } from './history.js'

export interface Held {
  readonly token: string
  readonly claims: AccessToken
}

export interface HeldSession {
  readonly sid: string
  readonly sub: string
  readonly since: number
  /** Access tokens, the newest last. */
  readonly access: Held[]
  /** Refresh tokens, the current one last. */
  readonly refresh: string[]
  state: 'live' | 'unsure' | 'ended'
}

/** Tokens kept to be tried again; the oldest are dropped. */
const MAX_ENDED = 5_000
const MAX_UNSURE = 50

export class Book {
  readonly #sessions = new Map<string, HeldSession>()
  readonly #ended: Held[] = []

  add(session: HeldSession): void {
    this.#sessions.set(session.sid, session)
  }

  live(sub: string): HeldSession[] {
    return this.#all(sub).filter(({ state }) => state === 'live')
  }

  /** Sessions of which nobody knows whether they live. */
  unsure(sub: string): HeldSession[] {
    return this.#all(sub).filter(({ state }) => state === 'unsure')
  }

  pickEnded(random: Random): Held | undefined {
    const recent = this.#ended.slice(-40)
    return random.pick(random.chance(0.7) ? recent : this.#ended)
  }

  /** The youngest ended tokens. */
  lastEnded(count: number): Held[] {
    return this.#ended.slice(-count)
  }

  doubt(sid: string): void {
    const session = this.#sessions.get(sid)
    if (session?.state !== 'live') return
    session.state = 'unsure'
    for (const { sid: old } of this.unsure(session.sub).slice(0, -MAX_UNSURE)) this.#sessions.delete(old)
  }

  /** Takes in what an end has done; gives the tokens that it ended. */
  ended(operation: Operation, scope: Scope): Held[] {
    if (isIndeterminate(operation)) {
      if (scope.kind === 'sid') this.doubt(scope.sid)
      return []
    }
    if (!succeeded(operation)) return []
    if (scope.kind === 'jti') return this.#endToken(scope.jti)
    const covered = [...this.#sessions.values()].filter((one) => isCovered(one, operation, scope))
    return covered.flatMap((session) => this.#end(session))
  }

  endSession(sid: string): Held[] {
    const session = this.#sessions.get(sid)
    return session ? this.#end(session) : []
  }

  #all(sub: string): HeldSession[] {
    return [...this.#sessions.values()].filter((session) => session.sub === sub)
  }

  #end(session: HeldSession): Held[] {
    session.state = 'ended'
    this.#sessions.delete(session.sid)
    this.#keep(session.access)
    return session.access
  }

  #endToken(jti: string): Held[] {
    for (const { access } of this.#sessions.values()) {
      const at = access.findIndex(({ claims }) => claims.jti === jti)
      if (at < 0) continue
      const ended = access.splice(at, 1)
      this.#keep(ended)
      return ended
    }
    return []
  }

  #keep(tokens: readonly Held[]): void {
    this.#ended.push(...tokens)
    this.#ended.splice(0, this.#ended.length - MAX_ENDED)
  }
}

function isCovered({ sid, sub, since, access }: HeldSession, operation: Operation, scope: Scope): boolean {
  switch (scope.kind) {
    case 'sid':
      return scope.sid === sid
    case 'everywhere':
      if (scope.sub !== sub || (scope.keepsCaller && scope.caller === sid)) return false
      return scope.caller === sid || since < operation.invokedAt
    case 'sub':
    case 'all':
      if (scope.kind === 'sub' && scope.sub !== sub) return false
      if (scope.before === undefined) return since < operation.invokedAt
      return access.every(({ claims }) => claims.iat <= scope.before!)
    case 'kid':
      return true
    default:
      return false
  }
}
