/** Measures the cost of a refresh: CPU time of the server, Redis commands, and round trips to Redis. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { positive, UsageError } from './options.js'
import type { Server } from './processes.js'
import { redisCommands } from './redis-commands.js'
import { Refreshers } from './refreshers.js'
import { table, writeFiles } from './report.js'
import { machineOf } from './results.js'
import { countRoundTrips } from './round-trips.js'
import { openStage, pinningOf } from './stage.js'
import type { Stage } from './stage.js'
import { spreadOf } from './statistics.js'
import type { Spread } from './statistics.js'
import { usageOf } from './usage.js'

const HELP = `npm run bench -- refresh [--flag value …]

  --connections number of clients, each with its own session  (32)
  --rounds      number of rounds  (5)
  --seconds     duration of the load per round  (2)
  --out         directory for the results  (bench/results)`

const TARGET = { cpuMicroseconds: 250, roundTrips: 2 }
const WARM_SECONDS = 3

interface Options {
  readonly connections: number
  readonly rounds: number
  readonly seconds: number
  readonly out: string
}

function readOptions(): Options | 'help' {
  const flags = {
    connections: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    out: { type: 'string', default: 'bench/results' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  try {
    const { values } = parseArgs({ options: flags, strict: true, allowPositionals: false })
    if (values.help) return 'help'
    return {
      connections: positive('connections', values.connections),
      rounds: positive('rounds', values.rounds),
      seconds: positive('seconds', values.seconds),
      out: values.out,
    }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message)
  }
}

async function startServer({ servers, setup }: Stage, redisUrl = setup.redisUrl) {
  const module = new URL('refresh-server.js', import.meta.url).href
  const server = await servers.serve(module, 'refreshing', { ...setup, redisUrl })
  return { server, refreshers: new Refreshers(server.url, server.refreshTokens ?? []) }
}

/** Returns the growth of `count` per refresh, minus its growth while idle. */
async function perRefresh(
  seconds: number,
  count: () => number | Promise<number>,
  refresh: () => Promise<number>,
) {
  const [idle, began] = [await count(), performance.now()]
  await sleep(seconds * 1_000)
  const [before, middle] = [await count(), performance.now()]
  const refreshes = await refresh()
  const [after, end] = [await count(), performance.now()]
  const background = ((before - idle) / (middle - began)) * (end - middle)
  return (after - before - background) / refreshes
}

async function measureCpu(server: Server, refreshers: Refreshers, { rounds, seconds }: Options) {
  const cpu: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = await usageOf([server])
    const refreshes = await refreshers.run(seconds)
    const after = await usageOf([server])
    cpu.push((after.cpuMicroseconds - before.cpuMicroseconds) / refreshes)
  }
  return spreadOf(cpu)
}

async function bench(options: Options): Promise<void> {
  const { connections, rounds, seconds, out } = options
  const stage = await openStage({ algorithm: 'ES256', tokens: 1, connections })
  const proxy = await countRoundTrips(stage.setup.redisUrl)
  try {
    const { server, refreshers } = await startServer(stage)
    await refreshers.run(WARM_SECONDS)
    const cpuMicroseconds = await measureCpu(server, refreshers, options)
    const commands = await perRefresh(
      seconds,
      () => redisCommands(stage.redis),
      () => refreshers.run(seconds),
    )
    await refreshers.close()

    // Only one client, because commands of several clients would share a round trip.
    const counted = await startServer(stage, proxy.url)
    await counted.refreshers.run(1, 1)
    const trips = await perRefresh(seconds, proxy.roundTrips, () => counted.refreshers.run(seconds, 1))
    await counted.refreshers.close()

    const results = { cpuMicroseconds, redisCommands: commands, redisRoundTrips: trips }
    const machine = machineOf(pinningOf(stage.cores))
    const md = `# A refresh, ES256\n
${connections} clients, each with its own session; ${rounds} rounds of ${seconds} s. The round trips are those of a single client.\n
${table(['', '', 'target'], rowsOf(results))}\n
${machine.date} · ${machine.commit} · ${machine.processor} · ${machine.pinning} · Node ${machine.node} · ${machine.redis}`
    console.log(`\n${md}\n`)
    const json = { options: { connections, rounds, seconds }, machine, ...results }
    console.error(`Written: ${(await writeFiles(out, 'refresh', { json, md })).join(', ')}`)
  } finally {
    proxy.close()
    await stage.close()
  }
}

function rowsOf(results: { cpuMicroseconds: Spread; redisCommands: number; redisRoundTrips: number }) {
  const { median, min, max } = results.cpuMicroseconds
  const [cpu, ...spread] = [median, min, max].map((value) => value.toFixed(0))
  return [
    ['CPU of the server, µs', `${cpu} (${spread.join('–')})`, `≤ ${TARGET.cpuMicroseconds}`],
    ['round trips to Redis', results.redisRoundTrips.toFixed(2), `≤ ${TARGET.roundTrips}`],
    ['Redis commands, including those inside scripts', results.redisCommands.toFixed(2), ''],
  ]
}

try {
  const options = readOptions()
  if (options === 'help') console.log(HELP)
  else await bench(options)
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message} (see --help)` : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
