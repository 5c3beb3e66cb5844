/** What a run has shown, for people. */
import { RULES, isUnexplained } from './checker.js'
import type { Rule, Violation } from './checker.js'
import type { Fault, Operation } from './history.js'
import { succeeded } from './history.js'
import type { Outcome } from './run.js'

/** The longest that a response may take, in ms; a revoke's is the barrier's 2(L + m) + 1 s. */
const ANSWER_MILLISECONDS = 2_000
const BARRIER_MILLISECONDS = 3_200
/** A login waits longer just after a subject was revoked. */
const LOGIN_MILLISECONDS = 5_000
/** Violations of a rule that are told at length. */
const MAX_STORIES = 4
const MAX_LINES = 24

const at = (milliseconds: number) => `${(milliseconds / 1000).toFixed(3)} s`

export function report(outcome: Outcome): string {
  const { history, violations, excused } = outcome
  const { operations, faults } = history
  const calm = operations.filter((operation) => isUnexplained(operation, faults))
  const slow = operations.filter(isSlow)
  const slowCalm = slow.filter((operation) => !isNear(operation, faults))
  const sessions = new Set(violations.map(({ operation }) => sidOf(operation)))
  return [
    table(operations),
    `faults: ${listed(count(faults, ({ name }) => name))}`,
    `without a fault near: ${calm.filter(({ status }) => status !== undefined).length} × 503, ` +
      `${calm.filter(({ status, name }) => status === undefined && !name.endsWith('leaving')).length} without a response`,
    `slow: ${slow.length}, ${slowCalm.length} of them without a fault near`,
    `excused by a loss of data: ${listed(excused)}`,
    `violations: ${listed(count(violations, named))}; sessions concerned: ${sessions.size}`,
    ...firsts(violations).map((violation) => story(violation, outcome)),
  ].join('\n')
}

const named = ({ rule, against }: Violation) => (against ? `${rule} after ${against.name}` : rule)

function isSlow({ invokedAt, completedAt, ends, name }: Operation): boolean {
  if (name.startsWith('readyz')) return false
  const bound = ends ? BARRIER_MILLISECONDS : name === 'login' ? LOGIN_MILLISECONDS : ANSWER_MILLISECONDS
  return completedAt - invokedAt > bound
}

const isNear = ({ invokedAt, completedAt }: Operation, faults: readonly Fault[]) =>
  faults.some(({ begunAt, endedAt }) => begunAt <= completedAt && endedAt >= invokedAt)

function count<T>(list: readonly T[], keyOf: (one: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const one of list) counts[keyOf(one)] = (counts[keyOf(one)] ?? 0) + 1
  return counts
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, n]) => `${name} ${n}`)
    .join(', ') || 'none'

function table(operations: readonly Operation[]): string {
  const kinds: (readonly [string, (one: Operation) => boolean])[] = [
    ['2xx', succeeded],
    ['401', ({ status }) => status === 401],
    ['503', ({ status }) => status === 503],
    ['none', ({ status }) => status === undefined],
  ]
  const isOther = (one: Operation) => !kinds.some(([, is]) => is(one))
  const names = [...new Set(operations.map(({ name }) => name))].toSorted()
  const line = (cells: readonly (string | number)[]) =>
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(30) : String(cell).padStart(8))).join('')
  const row = (name: string, list: readonly Operation[]) => {
    const times = list.map(({ invokedAt, completedAt }) => completedAt - invokedAt).toSorted((a, b) => a - b)
    const part = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0
    const counts = [...kinds.map(([, is]) => is), isOther].map((is) => list.filter(is).length)
    return line([
      name,
      list.length,
      ...counts,
      part(0.5).toFixed(1),
      part(0.99).toFixed(0),
      part(1).toFixed(0),
    ])
  }
  return [
    line(['operation', 'calls', ...kinds.map(([name]) => name), 'other', 'p50 ms', 'p99 ms', 'most']),
    ...names.map((name) =>
      row(
        name,
        operations.filter((one) => one.name === name),
      ),
    ),
    row('all', operations),
  ].join('\n')
}

/** Some of each rule, each against another operation. */
function firsts(violations: readonly Violation[]): Violation[] {
  const seen = new Set<unknown>()
  const perRule: Partial<Record<Rule, number>> = {}
  return violations.filter(({ rule, operation, against }) => {
    const cause = against ?? sidOf(operation)
    const told = perRule[rule] ?? 0
    if (seen.has(cause) || told >= MAX_STORIES) return false
    seen.add(cause)
    perRule[rule] = told + 1
    return true
  })
}

const sidOf = ({ bearer, presented, obtained, ends }: Operation): string | undefined =>
  bearer?.sid ?? presented?.sid ?? obtained?.access.sid ?? (ends?.kind === 'sid' ? ends.sid : undefined)

/** What happened to the session, up to the violation. */
function story({ rule, operation, against }: Violation, { history }: Outcome): string {
  const sid = sidOf(operation)
  const sub = operation.bearer?.sub ?? against?.bearer?.sub
  const concerns = (one: Operation) =>
    one === against ||
    (sid !== undefined && sidOf(one) === sid) ||
    (one.ends !== undefined && (one.ends.kind === 'all' || one.ends.kind === 'kid')) ||
    (one.ends?.kind === 'sid' && one.ends.sid === sid) ||
    (one.ends !== undefined && 'sub' in one.ends && one.ends.sub === sub)
  const until = operation.completedAt
  const all = history.operations.filter((one) => one.invokedAt <= until && concerns(one))
  const login = all.findIndex((one) => one.name === 'login')
  const since = login < 0 ? 0 : all[login]!.invokedAt
  const lines = all
    .filter((one) => one.invokedAt >= since)
    .map((one) => ({ time: one.invokedAt, text: tell(one) }))
  const faults = history.faults
    .filter(({ begunAt, endedAt }) => begunAt <= until && endedAt >= since)
    .map((fault) => ({ time: fault.begunAt, text: faultLine(fault) }))
  const told = [...lines, ...faults].toSorted((a, b) => a.time - b.time).map(({ text }) => `    ${text}`)
  const short = told.length > MAX_LINES ? [...told.slice(0, 6), '    …', ...told.slice(6 - MAX_LINES)] : told
  return [`\n  ${rule}: ${RULES[rule]} (session ${sid})`, ...short].join('\n')
}

function tell(one: Operation): string {
  const { client, name, instance, invokedAt, completedAt, status, code, ends, bearer } = one
  const what = ends ? ` of ${JSON.stringify(ends)}` : bearer ? ` with ${bearer.jti.slice(0, 12)}` : ''
  const took = (completedAt - invokedAt).toFixed(0)
  return `${at(invokedAt)} +${took} ms ${client} → ${instance}: ${name}${what}: ${status ?? 'no response'} ${code ?? ''}`
}

const faultLine = ({ name, begunAt, endedAt, instance, clock }: Fault): string =>
  `${at(begunAt)} until ${at(endedAt)} FAULT ${name}` +
  `${instance === undefined ? '' : ` of instance ${instance}`}${clock === undefined ? '' : ` by ${clock.toFixed(0)} ms`}`
