/**
 * The real state machine of the leased replica on a virtual network with virtual clocks. Every failure names its seed:
 *
 *   SEED=123 node dist/test/simulation/simulation.test.js                          the trace of that schedule
 *   SEED=7 SCENARIO=margin WITHOUT=margin node dist/test/simulation/simulation.test.js   of a directed one, less a rule
 *   SEEDS=100000 node dist/test/simulation/simulation.test.js                      a long search
 */
import t from 'tap'
import { Violation } from './checker.js'
import type { ViolationKind } from './checker.js'
import { LOSSES } from './faults.js'
import { admittedAfterLoss, SCENARIOS } from './scenarios.js'
import type { Scenario } from './scenario-start.js'
import { Schedule } from './schedule.js'
import type { Switches } from './schedule.js'
import { INSTANCE_RULES, SERVER_RULES, switchOff } from './rules.js'
import type { AnyRule } from './rules.js'
import type { World } from './world.js'

t.setTimeout(300_000)

/** What goes wrong without a rule, where it isn't that something revoked is admitted. */
const BREAKS: Partial<Record<AnyRule, ViolationKind>> = {
  iat: 'denied',
  shared: 'grown',
  covers: 'grown',
  mark: 'renamed',
}
const OUTCOMES: Readonly<Record<ViolationKind, string>> = {
  admitted: 'something revoked is admitted',
  denied: 'a good token is denied',
  renamed: 'an evicted session is denied as logged out',
  stuck: 'nothing moves',
  revived: 'an ended session gives a new token',
  grown: 'the log grows by what each survivor holds',
}

const { env } = process
const SEEDS = Number(env['SEEDS'] ?? 5_000)

/** `covers`: what each survivor publishes is counted where all hold what was lost. */
function scenarioOf(rule: AnyRule): Scenario | undefined {
  if (rule === 'covers') return SCENARIOS.shared
  return Object.hasOwn(SCENARIOS, rule) ? SCENARIOS[rule as keyof typeof SCENARIOS] : undefined
}

/** The world after it, or what went wrong in it. */
function outcome(run: () => World): World | Violation {
  try {
    return run()
  } catch (error) {
    if (error instanceof Violation) return error
    throw error
  }
}

function random(seed: number, switches: Switches = {}): () => World {
  return () => new Schedule(seed, switches).run()
}

if (env['SEED'] !== undefined) {
  const seed = Number(env['SEED'])
  const rule = env['WITHOUT'] as AnyRule | undefined
  const switches = { ...(rule && switchOff(rule)), trace: (line: string) => console.log(`# ${line}`) }
  const scenario = env['SCENARIO'] as keyof typeof SCENARIOS | undefined
  const result = outcome(scenario ? () => SCENARIOS[scenario](seed, switches) : random(seed, switches))
  if (result instanceof Violation) t.fail(`seed ${seed}: ${result.message}`)
  else t.pass(`seed ${seed} holds`)
} else {
  t.test(`nothing revoked is admitted, in ${SEEDS} schedules`, async (t) => {
    const total = new Map<string, number>()
    const add = (name: string, n: number) => total.set(name, (total.get(name) ?? 0) + n)
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const result = outcome(random(seed))
      if (result instanceof Violation) {
        t.fail(`seed ${seed} (${new Schedule(seed).name}): ${result.message}; replay it with SEED=${seed}`)
        continue
      }
      for (const [name, n] of Object.entries(result.checker.counts)) add(name, n)
      for (const [name, n] of result.faults) add(name, n)
    }
    t.comment([...total].map(([name, n]) => `${name} ${n}`).join(', '))
    const atLeast = (name: string, n: number) => t.ok((total.get(name) ?? 0) >= n, `${name}: at least ${n}`)
    atLeast('admitted', SEEDS * 40)
    atLeast('returned', SEEDS * 3)
    atLeast('evicted', SEEDS * 3)
    atLeast('lapsed', SEEDS / 50)
    for (const fault of [
      'pause',
      'suspend',
      'clock step',
      'clock ahead',
      'clock behind',
      'crash',
      'leave',
      'slow',
      'rough',
      'cut',
      'silent',
    ])
      atLeast(fault, SEEDS / 10)
    for (const fault of ['restart', 'failover', 'failover with lost writes', 'isolated primary', 'sleep'])
      atLeast(fault, SEEDS / 100)
    for (const loss of LOSSES) atLeast(loss, SEEDS / 100)
    // What nothing is promised for must stay rare, or the check is hollow.
    t.ok((total.get('exempt') ?? 0) * 50 < total.get('returned')!, 'hardly any revoke is exempt')
  })

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    t.test(`directed at “${name}”: holds with every rule`, async (t) => {
      let returned = 0
      for (let seed = 0; seed < 60; seed += 1) {
        const result = outcome(() => scenario(seed))
        if (result instanceof Violation)
          t.fail(`seed ${seed}: ${result.message}; replay it with SEED=${seed} SCENARIO=${name}`)
        else returned += result.checker.counts.returned
      }
      t.ok(returned > 0, 'revokes return')
    })
  }

  t.test(
    'after a loss of data, older tokens are refused, or admitted once a survivor has vouched',
    async (t) => {
      for (let seed = 0; seed < 20; seed += 1) {
        t.equal(admittedAfterLoss(seed, 'reject'), 0)
        t.equal(admittedAfterLoss(seed, 'heal'), 3)
      }
    },
  )

  for (const rule of [...INSTANCE_RULES, ...SERVER_RULES]) {
    const kind = BREAKS[rule] ?? 'admitted'
    t.test(`without the rule “${rule}” ${OUTCOMES[kind]}`, async (t) => {
      const scenario = scenarioOf(rule)
      const switches = switchOff(rule)
      for (let seed = 0; seed < 1_000; seed += 1) {
        const result = outcome(scenario ? () => scenario(seed, switches) : random(seed, switches))
        if (!(result instanceof Violation) || result.kind !== kind) continue
        t.pass(`seed ${seed}: ${result.message}`)
        return
      }
      t.fail('no schedule needs it')
    })
  }
}
