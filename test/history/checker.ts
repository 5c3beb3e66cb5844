/** Finds in a history what must not be: see RULES for each kind. */
import { Coverage } from './coverage.js'
import type { Fault, History, Operation } from './history.js'
import { isIndeterminate, succeeded } from './history.js'
import { findSuccessors, isExcusableReuse } from './rotation.js'

export const RULES = {
  admitted: 'a token was admitted after an operation that ends it had succeeded',
  resurrected: 'a refresh token was accepted after its session had been ended',
  'two successors': 'one refresh token was given two successors',
  'spurious refusal': '401 or 403 for a token or session that nothing had ended',
  'spurious reuse': 'a refresh token was called reused, but it was current, or its grace ran',
  'cannot be ended': '404 for the end of the own, living session',
  unexpected: 'a status that no fault explains',
  'not ready': 'an instance stayed without a lease long after a fault',
} as const

export type Rule = keyof typeof RULES

export interface Violation {
  readonly rule: Rule
  readonly operation: Operation
  /** The operation that the rule sets against it. */
  readonly against?: Operation | undefined
}

/** What a mix of faults excuses. */
export interface Allowances {
  /** `reuseGrace`, in ms. */
  readonly grace: number
  /** The furthest that two instances' clocks are apart, in ms. */
  readonly clockError: number
  /** After a loss of data, older tokens may be refused and a rotation may be forgotten. `accept`: an end, too. */
  readonly loss: 'none' | 'reject' | 'heal' | 'accept'
  /** Instances that are still connected to a primary that thaws after a failover may admit by it. */
  readonly thawed?: boolean
}

export interface Findings {
  readonly violations: readonly Violation[]
  /** Breaches that a loss of data excuses, by rule. */
  readonly excused: Readonly<Partial<Record<Rule, number>>>
}

/** Ms after a fault's end (all were ready again by then) in which a 503 is no surprise. */
export const RECOVERY = 1_500
/** Ms that clocks and seconds rounded may add to the life of a token. */
const EXPIRY_MARGIN = 5_000
/** Ms after a loss in which instances may not have noticed it: they are ready by the lease of the epoch before. */
const UNNOTICED = 2_500
/** τ in ms: a token whose `iat` is further ahead of the instance's clock may be refused. */
const MAX_AHEAD = 2_000

export function check(history: History, allowances: Allowances): Findings {
  return new Checker(history, allowances).run()
}

class Checker {
  readonly #history: History
  readonly #allowances: Allowances
  readonly #coverage: Coverage
  readonly #violations: Violation[] = []
  readonly #excused: Partial<Record<Rule, number>> = {}
  readonly #losses: readonly Fault[]
  readonly #uses: ReadonlyMap<string, readonly Operation[]>

  constructor(history: History, allowances: Allowances) {
    this.#history = history
    this.#allowances = allowances
    this.#coverage = new Coverage(history)
    this.#losses = history.faults.filter(({ loses }) => loses)
    const uses = new Map<string, Operation[]>()
    for (const operation of history.operations) {
      if (!operation.presented) continue
      const { fingerprint } = operation.presented
      uses.set(fingerprint, [...(uses.get(fingerprint) ?? []), operation])
    }
    this.#uses = uses
  }

  run(): Findings {
    for (const operation of this.#history.operations) {
      this.#admission(operation)
      this.#refresh(operation)
      this.#refusal(operation)
      this.#status(operation)
    }
    for (const { first, second } of findSuccessors(this.#uses.values())) {
      this.#report('two successors', second, first, this.#mayBeLost(first.invokedAt, second.completedAt))
    }
    return { violations: this.#violations, excused: this.#excused }
  }

  #report(rule: Rule, operation: Operation, against?: Operation, isExcused = false): void {
    if (isExcused) this.#excused[rule] = (this.#excused[rule] ?? 0) + 1
    else this.#violations.push({ rule, operation, against })
  }

  #admission(operation: Operation): void {
    const { bearer, invokedAt } = operation
    // 404 comes after the guard.
    if (!bearer || !(succeeded(operation) || operation.status === 404)) return
    const end = this.#coverage.endOfToken(bearer, invokedAt)
    if (!end) return
    this.#report(
      'admitted',
      operation,
      end,
      this.#mayBeForgotten(bearer.sid, operation) || this.#isByThawed(operation),
    )
  }

  #refresh(operation: Operation): void {
    const { presented, invokedAt } = operation
    if (!presented || operation.ends || !succeeded(operation)) return
    const end = this.#coverage.endOfRefresh(presented.sid, invokedAt)
    if (end) this.#report('resurrected', operation, end, this.#mayBeForgotten(presented.sid, operation))
  }

  #refusal(operation: Operation): void {
    const { bearer, presented, status, completedAt } = operation
    if (status === 401 && operation.code === 'refresh_token_reused') return this.#reuse(operation)
    if (status !== 401 && status !== 403) return
    if (bearer) {
      if (this.#coverage.mayBeEnded(bearer, completedAt) || this.#isOutOfTime(operation)) return
      this.#report('spurious refusal', operation, undefined, this.#isLost(bearer.sid, completedAt))
    } else if (presented && !operation.ends) {
      const session = this.#coverage.sessions.get(presented.sid)
      if (!session || this.#coverage.mayBeEnded(session, completedAt)) return
      this.#report('spurious refusal', operation, session.login, this.#isLost(presented.sid, completedAt))
    } else {
      this.#report('spurious refusal', operation)
    }
  }

  #reuse(operation: Operation): void {
    const { sid, fingerprint } = operation.presented!
    const { grace, clockError } = this.#allowances
    if (isExcusableReuse(operation, this.#uses.get(fingerprint)!, this.#uses, grace - clockError)) return
    this.#report('spurious reuse', operation, undefined, this.#isLost(sid, operation.completedAt))
  }

  #status(operation: Operation): void {
    const { status, code, bearer, ends } = operation
    if (code === 'not_ready') return this.#report('not ready', operation)
    if (status === undefined || succeeded(operation) || [401, 403, 503].includes(status)) return
    if (status !== 404 || !bearer || ends?.kind !== 'sid') return this.#report('unexpected', operation)
    if (ends.sid !== bearer.sid || this.#coverage.mayBeEnded(bearer, operation.completedAt)) return
    this.#report('cannot be ended', operation, undefined, this.#allowances.loss === 'accept')
  }

  /** `exp` has passed, or `iat` is too far ahead, on a clock that is as wrong as this instance's was. */
  #isOutOfTime({ bearer, invokedAt, completedAt, instance }: Operation): boolean {
    const { faults, origin } = this.#history
    const offsets = faults
      .filter((fault) => fault.instance === instance && fault.clock !== undefined)
      .filter(({ begunAt, endedAt }) => begunAt <= completedAt && endedAt >= invokedAt)
      .map(({ clock }) => clock!)
    const { exp, iat } = bearer!
    const hasExpired = origin + completedAt + Math.max(0, ...offsets) + EXPIRY_MARGIN >= exp * 1000
    return hasExpired || iat * 1000 > origin + invokedAt + Math.min(0, ...offsets) + MAX_AHEAD
  }

  /** Records written between the two times may have been lost before the later one. */
  #mayBeLost(from: number, until: number): boolean {
    const { loss } = this.#allowances
    if (loss === 'none') return false
    return this.#losses.some(({ begunAt, endedAt }) => endedAt + UNNOTICED >= from && begunAt <= until)
  }

  #isLost(sid: string, until: number): boolean {
    const login = this.#coverage.sessions.get(sid)?.login
    return login !== undefined && this.#mayBeLost(login.invokedAt, until)
  }

  #isByThawed({ invokedAt, completedAt }: Operation): boolean {
    const frozen = this.#history.faults.filter(({ thaws }) => thaws)
    return (
      this.#allowances.thawed === true &&
      frozen.some(({ begunAt, endedAt }) => begunAt <= completedAt && endedAt >= invokedAt)
    )
  }

  /** Only `accept` may forget an end: what is lost with the data is admitted. */
  #mayBeForgotten(sid: string, { completedAt }: Operation): boolean {
    return this.#allowances.loss === 'accept' && this.#isLost(sid, completedAt)
  }
}

/** 503 or no response although no fault is near. */
export function isUnexplained(operation: Operation, faults: readonly Fault[]): boolean {
  if (!isIndeterminate(operation)) return false
  return !faults.some(
    ({ begunAt, endedAt }) => begunAt <= operation.completedAt && endedAt + RECOVERY >= operation.invokedAt,
  )
}
