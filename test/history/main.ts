/** `npm run history`: see HELP. */
import { parseArgs } from 'node:util'
import { canMoveClocks } from '../support/fake-clock.js'
import { MIXES } from './mixes.js'
import { report } from './report.js'
import { run } from './run.js'

const HELP = `npm run history -- [--mix NAME[,NAME…]|all] [--minutes N] [--seed N]

Runs real gateways with clients and faults, and checks the history of what they answered. Exit code 1 on a violation.
Every choice of clients and faults comes from the seed; the timing of processes does not, so a seed repeats what is
tried, not what happens.

  --mix      ${Object.keys(MIXES).join(', ')}; default: safe
  --minutes  in all, shared by the mixes; default: 1 for each. Longer ones are cut into rounds of 20 with seeds of
             their own
  --seed     default: a random one`

const ROUND_MINUTES = 20

const { values } = parseArgs({
  options: {
    mix: { type: 'string', default: 'safe' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function fail(message: string): never {
  console.error(`${message}\n\n${HELP}`)
  process.exit(2)
}

if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const names = values.mix === 'all' ? Object.keys(MIXES) : values.mix.split(',')
const minutes = Number(values.minutes ?? names.length)
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000))
for (const name of names) if (!Object.hasOwn(MIXES, name)) fail(`--mix: there is no "${name}"`)
if (!(minutes > 0)) fail('--minutes: a number above 0')
if (!Number.isSafeInteger(seed)) fail('--seed: a whole number')

let violations = 0
let broken = 0
for (const name of names) {
  const mix = MIXES[name]!
  if (mix.faults.some((fault) => fault.name.startsWith('clock')) && !canMoveClocks())
    fail(`--mix ${name}: it moves clocks, which needs libfaketime (Debian: apt-get install faketime)`)
  const rounds = Math.ceil(minutes / names.length / ROUND_MINUTES)
  const milliseconds = (minutes / names.length / rounds) * 60_000
  for (let round = 0; round < rounds; round += 1) {
    const own = seed + round
    console.log(`\n--mix ${name} --minutes ${(milliseconds / 60_000).toFixed(1)} --seed ${own}`)
    try {
      const outcome = await run({ mix, seed: own, milliseconds, say: (line) => console.log(`! ${line}`) })
      console.log(report(outcome))
      violations += outcome.violations.length
    } catch (error) {
      // A night isn't over because a server of ours didn't start.
      console.error('this run broke off:', error)
      broken += 1
    }
  }
}
console.log(`\n${violations} violations${broken > 0 ? `, ${broken} runs broke off` : ''}`)
process.exitCode = violations + broken === 0 ? 0 : 1
