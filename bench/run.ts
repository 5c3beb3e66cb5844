/** The bench. It starts the peers, checks their responses, loads them in turn, and writes a report. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultOf } from './check.js'
import { choose } from './choose.js'
import { chooseCores } from './cores.js'
import { measure } from './measure.js'
import type { Running } from './measure.js'
import { help, readOptions, UsageError } from './options.js'
import type { Options } from './options.js'
import type { Peer } from './peer.js'
import { PEERS } from './peers.js'
import { revokeAndGetPrefix } from './portcullis-settings.js'
import { markdown, writeResults } from './report.js'
import { resultsOf } from './results.js'
import { denialKey } from './setup.js'
import { openStage, pinningOf } from './stage.js'
import type { Stage } from './stage.js'
import { mintTokens } from './tokens.js'
import type { Tokens } from './tokens.js'

const log = (line: string) => console.error(line)

async function bench(options: Options): Promise<void> {
  const { peers, leftOut: unfit } = choose(PEERS, options)
  const leftOut = [...unfit]
  for (const { name, why } of unfit) log(`${name} is left out: ${why}`)
  /** Leaves a peer out because of an error. The run then ends with exit code 1. */
  const fail = ({ name }: Peer, why: unknown) => {
    log(`${name} is left out: ${String(why)}`)
    leftOut.push({ name, why: String(why) })
    process.exitCode = 1
  }
  const all = new Map<Peer, Running>()
  for (let turn = 0; turn < options.launches; turn += 1) {
    for (const running of await launch(options, peers, fail)) {
      const previous = all.get(running.peer)
      if (previous) previous.rounds.push(...running.rounds)
      else all.set(running.peer, running)
    }
  }
  // Ratios compare the same round of two peers, so a peer needs all rounds.
  const whole = [...all.values()].filter(({ rounds }) => rounds.length === options.rounds * options.launches)
  const results = resultsOf(options, whole, leftOut, pinningOf(chooseCores()))
  console.log(`\n${markdown(results)}\n`)
  log(`Written: ${(await writeResults(results, options.out)).join(', ')}`)
}

/** Starts, checks, measures and stops all peers. Returns those without a failure. */
async function launch(
  options: Options,
  peers: readonly Peer[],
  fail: (peer: Peer, why: unknown) => void,
): Promise<Running[]> {
  const stage = await openStage(options)
  try {
    log(`Starting ${peers.length} peers; pinning: ${pinningOf(stage.cores)}`)
    const started = await start(stage, peers, fail)
    await sleep(1_100) // See mintTokens for the reason.
    const tokens = await mintTokens(stage.setup, await revokeEverywhere(stage))
    const checked = await check(started, tokens, fail)
    const { directory } = stage.setup
    const [tokensFile, noTokensFile] = [join(directory, 'tokens'), join(directory, 'no-tokens')]
    await writeFile(tokensFile, `${tokens.good.join('\n')}\n`, { mode: 0o600 })
    await writeFile(noTokensFile, '')

    log(
      `${checked.length} peers respond correctly; measuring ${options.rounds} rounds of ${options.seconds} s per peer`,
    )
    const work = { options, tokens: tokens.good, tokensFile, noTokensFile, redis: stage.redis }
    return await measure(work, checked, ({ peer }, why) => fail(peer, why))
  } finally {
    await stage.close()
  }
}

async function start(
  { servers, setup }: Stage,
  peers: readonly Peer[],
  fail: (peer: Peer, why: unknown) => void,
): Promise<Running[]> {
  const all: Running[] = []
  for (const peer of peers) {
    try {
      all.push({ peer, servers: await peer.start(servers, setup), sent: 0, rounds: [] })
    } catch (error) {
      fail(peer, error)
    }
  }
  return all
}

/** Adds the revoked token to the denylists of all peers. Returns the jti prefix for the tokens. */
async function revokeEverywhere({ redis, setup }: Stage): Promise<string> {
  await redis.set(denialKey(setup.deniedJti), '1')
  return revokeAndGetPrefix(setup)
}

async function check(
  all: readonly Running[],
  tokens: Tokens,
  fail: (peer: Peer, why: string) => void,
): Promise<Running[]> {
  const good: Running[] = []
  for (const running of all) {
    const fault = await faultOf(running.peer, running.servers[0]!.url, tokens)
    if (fault === undefined) good.push(running)
    else fail(running.peer, fault)
  }
  return good
}

try {
  const options = readOptions(
    process.argv.slice(2),
    PEERS.map(({ name }) => name),
  )
  if (options === 'help') console.log(help(PEERS))
  else await bench(options)
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message} (see --help)` : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
