/** For tests of the checker: a history told by hand. */
import type { Allowances, Rule } from './checker.js'
import { check } from './checker.js'
import type { AccessToken, Draft, Fault, Operation, Scope } from './history.js'

const STRICT: Allowances = { grace: 3_000, clockError: 0, loss: 'none' }
/** Unix ms of a story's 0. */
const ORIGIN = 1_800_000_000_000

/** A history that is told step by step; each step takes 5 ms, and the next begins 5 ms after it. */
export class Story {
  readonly operations: Operation[] = []
  readonly faults: Fault[] = []
  now = 1_000

  step(draft: Partial<Draft>, status: number | undefined, more: Partial<Operation> = {}): Operation {
    const times = { invokedAt: this.now, completedAt: this.now + 5 }
    const operation = { client: 'c', name: 'me', instance: 0, ...times, status, ...draft, ...more }
    this.operations.push(operation)
    this.now = Math.max(this.now, operation.completedAt) + 5
    return operation
  }

  login(sid: string, sub = 'ada', more: Partial<Operation> = {}): AccessToken {
    const iat = Math.floor((ORIGIN + this.now) / 1000)
    const access = { jti: `${sid}-0`, sid, sub, iat, exp: iat + 900 }
    this.step({ name: 'login' }, 200, { obtained: { access, refresh: `${sid}-r0` }, ...more })
    return access
  }

  me(bearer: AccessToken, status = 200): Operation {
    return this.step({ bearer }, status)
  }

  end(ends: Scope, more: Partial<Operation> = {}): Operation {
    return this.step({ name: 'end', ends }, 204, more)
  }

  everywhere(by: AccessToken, keepsCaller = false, status = 204): Operation {
    const ends = { kind: 'everywhere', sub: by.sub, caller: by.sid, keepsCaller } as const
    return this.step({ name: 'everywhere', bearer: by, ends }, status)
  }

  refresh(sid: string, from: number, to: number | undefined, more: Partial<Operation> = {}): Operation {
    const iat = Math.floor((ORIGIN + this.now) / 1000)
    const access = { jti: `${sid}-${to}`, sid, sub: 'ada', iat, exp: iat + 900 }
    const presented = { sid, fingerprint: `${sid}-r${from}` }
    const obtained = { access, refresh: `${sid}-r${to}` }
    return this.step({ name: 'refresh', presented }, 200, { ...(to !== undefined && { obtained }), ...more })
  }

  found(allowances: Partial<Allowances> = {}): Rule[] {
    const history = { operations: this.operations, faults: this.faults, origin: ORIGIN }
    return check(history, { ...STRICT, ...allowances }).violations.map(({ rule }) => rule)
  }
}

export const sidOf = ({ sid }: AccessToken): Scope => ({ kind: 'sid', sid })
