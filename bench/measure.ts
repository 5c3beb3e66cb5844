/** Measures in rounds. Each peer is loaded in turn, so that other load on the machine affects all of them equally. */
import type { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from './load.js'
import type { Load } from './load.js'
import type { Options } from './options.js'
import type { Peer } from './peer.js'
import type { Server } from './processes.js'
import { redisCommands } from './redis-commands.js'
import { usageOf } from './usage.js'

/** The load before the rounds, until V8 has compiled the hot code and caches have seen every token. */
const WARM = { requests: 30_000, mostSeconds: 4, mostSecondsForTokens: 60 }
/**
 * The load before each measurement, in seconds. The peer was idle while the others were measured, so its memory is no
 * longer in the CPU caches, and V8 has shrunk the space for new objects. A server under constant load pays neither.
 */
const LEAD_IN = 1

export interface Running {
  readonly peer: Peer
  readonly servers: readonly Server[]
  /** The number of requests so far. The next period starts at this token. */
  sent: number
  readonly rounds: Round[]
}

export interface Round {
  readonly cpuMicroseconds: number
  /** CPU time of the servers divided by elapsed time. Below 1, the load was too low. */
  readonly busy: number
  readonly p50Milliseconds: number
  readonly rssBytes: number
  /** Redis commands per request, without those that instances send while idle. */
  readonly redisCommands: number
}

export interface Bench {
  readonly options: Options
  readonly tokens: readonly string[]
  readonly tokensFile: string
  /** The path of an empty file, for peers that get no tokens. */
  readonly noTokensFile: string
  readonly redis: Redis
}

/** Measures the peers, and returns those without a failure. `fail` is called for each other peer, which is left out. */
export async function measure(
  bench: Bench,
  all: readonly Running[],
  fail: (running: Running, error: unknown) => void,
): Promise<Running[]> {
  let left = [...all]
  const eachInTurn = async (work: (running: Running) => Promise<unknown>) => {
    for (const running of left) {
      await work(running).catch((error: unknown) => {
        left = left.filter((one) => one !== running)
        fail(running, error)
      })
    }
  }
  await eachInTurn((running) => warm(bench, running))
  const { rounds, seconds } = bench.options
  const idleRate = await idleCommands(bench.redis, seconds)
  for (let round = 0; round < rounds; round += 1) {
    await eachInTurn(async (running) => {
      await loadFor(bench, running, LEAD_IN)
      running.rounds.push(await measureOnce(bench, running, idleRate))
    })
    // Rotates the order, so that no peer always follows the same one.
    left = [...left.slice(1), ...left.slice(0, 1)]
  }
  return all.filter((running) => left.includes(running))
}

async function warm(bench: Bench, running: Running): Promise<void> {
  const isWarm = (seconds: number) =>
    (running.sent >= WARM.requests || seconds >= WARM.mostSeconds) &&
    (running.sent >= bench.tokens.length || seconds >= WARM.mostSecondsForTokens)
  for (let seconds = 0; !isWarm(seconds); seconds += 1) await loadFor(bench, running, 1)
}

/** Returns the number of Redis commands per second that all instances send without any request. */
async function idleCommands(redis: Redis, seconds: number): Promise<number> {
  const [before, began] = [await redisCommands(redis), performance.now()]
  await sleep(seconds * 1_000)
  const commands = (await redisCommands(redis)) - before
  return commands / ((performance.now() - began) / 1_000)
}

async function measureOnce(bench: Bench, running: Running, idleRate: number): Promise<Round> {
  const { servers } = running
  const [commands, before, began] = [
    await redisCommands(bench.redis),
    await usageOf(servers),
    performance.now(),
  ]
  const { requests, seconds, p50Milliseconds } = await loadFor(bench, running, bench.options.seconds)
  const [after, took] = [await usageOf(servers), (performance.now() - began) / 1_000]
  const caused = (await redisCommands(bench.redis)) - commands - idleRate * took
  const cpu = after.cpuMicroseconds - before.cpuMicroseconds
  return {
    cpuMicroseconds: cpu / requests,
    busy: cpu / 1e6 / seconds,
    p50Milliseconds,
    rssBytes: after.rssBytes,
    redisCommands: Math.max(0, caused / requests),
  }
}

async function loadFor(bench: Bench, running: Running, seconds: number) {
  const { options, tokens, tokensFile, noTokensFile } = bench
  const { peer, servers, sent } = running
  const settings: Load = {
    url: servers[0]!.url,
    tokens: peer.isAnonymous ? [] : tokens,
    tokensFile: peer.isAnonymous ? noTokensFile : tokensFile,
    first: sent,
    connections: options.connections,
    seconds,
  }
  const result = await load(options.driver, settings)
  running.sent += result.requests
  return result
}
