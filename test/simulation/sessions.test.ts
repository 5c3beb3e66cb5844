/**
 * The real code that ends sessions, and the real leased replica, on a virtual network with virtual clocks. Every failure
 * names its seed:
 *
 *   SEED=123 node dist/test/simulation/sessions.test.js                        the trace of that schedule
 *   SEED=7 SCENARIO=half WITHOUT=half node dist/test/simulation/sessions.test.js   of a directed one, less a rule
 *   SEEDS=10000 node dist/test/simulation/sessions.test.js                     a long search
 */
import t from 'tap'
import { Violation } from './checker.js'
import { LOSSES } from './faults.js'
import { Schedule } from './schedule.js'
import type { Switches } from './schedule.js'
import { SESSION_SCENARIOS } from './session-scenarios.js'
import { ALL_SESSION_RULES, switchOffSession } from './rules.js'
import type { AnySessionRule } from './rules.js'
import type { World } from './world.js'

t.setTimeout(300_000)

const { env } = process
const SEEDS = Number(env['SEEDS'] ?? 500)
/** Longer than a schedule: a session whose denylist entry has expired may come back with an old dump. */
const HORIZONS: [number, ...number[]] = [20_000, 300_000]

async function outcome(run: () => Promise<World>): Promise<World | Violation> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof Violation) return error
    throw error
  }
}

function random(seed: number, switches: Switches = {}): () => Promise<World> {
  return () => new Schedule(seed, switches, HORIZONS).play()
}

if (env['SEED'] !== undefined) {
  const seed = Number(env['SEED'])
  const rule = env['WITHOUT'] as AnySessionRule | undefined
  const scenario = env['SCENARIO'] as AnySessionRule | undefined
  const trace = (line: string) => console.log(`# ${line}`)
  const switches = { ...(rule && switchOffSession(rule)), trace }
  const result = await outcome(
    scenario ? () => SESSION_SCENARIOS[scenario](seed, switches) : random(seed, switches),
  )
  if (result instanceof Violation) t.fail(`seed ${seed}: ${result.message}`)
  else t.pass(`seed ${seed} holds`)
} else {
  t.test(`no ended session is admitted or gets tokens, in ${SEEDS} schedules`, async (t) => {
    const total = new Map<string, number>()
    const add = (name: string, n: number) => total.set(name, (total.get(name) ?? 0) + n)
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const result = await outcome(random(seed))
      if (result instanceof Violation) {
        const { name } = new Schedule(seed, {}, HORIZONS)
        t.fail(`seed ${seed} (${name}): ${result.message}; replay it with SEED=${seed}`)
        continue
      }
      for (const [name, n] of Object.entries(result.checker.counts)) add(name, n)
      for (const [name, n] of result.faults) add(name, n)
    }
    t.comment([...total].map(([name, n]) => `${name} ${n}`).join(', '))
    const atLeast = (name: string, n: number) => t.ok((total.get(name) ?? 0) >= n, `${name}: at least ${n}`)
    atLeast('admitted', SEEDS * 10)
    atLeast('refreshed', SEEDS * 2)
    atLeast('ended', SEEDS * 2)
    atLeast('everywhere', SEEDS / 2)
    atLeast('failedEnds', SEEDS)
    for (const fault of ['half-ended', 'crash', 'cut', 'silent']) atLeast(fault, SEEDS / 2)
    for (const fault of ['restart', 'failover with lost writes', 'isolated primary', ...LOSSES])
      atLeast(fault, SEEDS / 100)
    t.ok((total.get('exempt') ?? 0) * 50 < total.get('returned')!, 'hardly any revoke is exempt')
  })

  for (const [name, scenario] of Object.entries(SESSION_SCENARIOS)) {
    t.test(`directed at “${name}”: holds with every rule`, async (t) => {
      let ended = 0
      for (let seed = 0; seed < 60; seed += 1) {
        const result = await outcome(() => scenario(seed))
        if (result instanceof Violation)
          t.fail(`seed ${seed}: ${result.message}; replay it with SEED=${seed} SCENARIO=${name}`)
        else ended += result.checker.counts.ended
      }
      t.ok(ended >= 60, 'ends return success')
    })
  }

  for (const rule of ALL_SESSION_RULES) {
    const kind = rule === 'trust' ? 'revived' : 'admitted'
    const what =
      kind === 'revived' ? 'an ended session gives tokens' : 'a token of an ended session is admitted'
    t.test(`without the rule “${rule}” ${what}`, async (t) => {
      for (let seed = 0; seed < 200; seed += 1) {
        const result = await outcome(() => SESSION_SCENARIOS[rule](seed, switchOffSession(rule)))
        if (!(result instanceof Violation) || result.kind !== kind) continue
        t.pass(`seed ${seed}: ${result.message}`)
        return
      }
      t.fail('no schedule needs it')
    })
  }
}
