/**
 * A minute of the history checker, on three gateways: processes, networks and writes that fail, and clocks that are
 * wrong. `HISTORY_SEED=… npm test -- history.redis` tries the same again; `npm run history` does so for longer.
 */
import t from 'tap'
import type { Rule } from './checker.js'
import { canMoveClocks } from '../support/fake-clock.js'
import { MIXES } from './mixes.js'
import { report } from './report.js'
import { run } from './run.js'

const MILLISECONDS = 60_000
const PROMISES: ReadonlySet<Rule> = new Set(['admitted', 'resurrected', 'two successors', 'cannot be ended'])
t.setTimeout(300_000)

const seed = Number(process.env['HISTORY_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const mix = canMoveClocks() ? 'safe+clocks' : 'safe'

t.test(`no promise is broken in a minute of faults (mix ${mix}, seed ${seed})`, async (t) => {
  if (!canMoveClocks()) t.comment('CLOCKS ARE LEFT OUT: there is no libfaketime here')
  const outcome = await run({
    mix: MIXES[mix]!,
    seed,
    milliseconds: MILLISECONDS,
    // Two cores are shared with other tests.
    pause: 150,
    calm: [500, 1_500],
    say: (line) => t.comment(line),
  })
  const { operations, faults } = outcome.history
  for (const line of report(outcome).split('\n')) t.comment(line)
  // A loaded machine may make a refusal look spurious, as the checker's margins are of time. `npm run history` counts all.
  const broken = outcome.violations.filter(({ rule }) => PROMISES.has(rule))
  t.strictSame(broken, [], `a promise is broken with seed ${seed}`, { report: report(outcome) })
  t.ok(faults.length >= 3, `${faults.length} faults`)
  const isEnd = ({ ends, status }: (typeof operations)[0]) => ends && (status === 204 || status === 201)
  const refused = operations.filter(({ bearer, status }) => bearer && status === 401)
  const admitted = operations.filter(({ bearer, status }) => bearer && status === 200)
  t.ok(operations.filter(isEnd).length > 20, 'sessions were ended')
  t.ok(refused.length > 100, 'ended tokens were tried')
  t.ok(admitted.length > 100, 'living tokens were tried')
})
