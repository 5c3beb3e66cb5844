/** The rounds: each peer is loaded in turn, so that what else the machine does meets all of them alike. */
import type { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from './load.js'
import type { Load } from './load.js'
import type { Options } from './options.js'
import type { Peer } from './peer.js'
import type { Server } from './processes.js'
import { redisCommands } from './redis-commands.js'
import { usageOf } from './usage.js'

/** Before the rounds: until V8 has compiled what is hot, and caches have seen each token. */
const WARM = { requests: 30_000, mostSeconds: 4, mostSecondsForTokens: 60 }
/**
 * Before each measurement, in seconds: a peer has idled while the others had their turns, its memory is in no cache,
 * and V8 has given back the space for new objects. A server under load has had that behind it for long.
 */
const LEAD_IN = 1

export interface Running {
  readonly peer: Peer
  readonly servers: readonly Server[]
  /** Requests so far: where in the tokens the next stretch begins. */
  sent: number
  readonly rounds: Round[]
}

export interface Round {
  readonly cpuMicroseconds: number
  /** Of the time that the round took, how much the servers were on a core: below 1, and the load was too little. */
  readonly busy: number
  readonly p50Milliseconds: number
  readonly rssBytes: number
  /** For each request, without what the instances ask beside requests. */
  readonly redisCommands: number
}

export interface Bench {
  readonly options: Options
  readonly tokens: readonly string[]
  readonly tokensFile: string
  /** An empty one. */
  readonly noTokensFile: string
  readonly redis: Redis
}

/** Measures them; gives those that got through. `fail` is told of one that didn't, which is loaded no more. */
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
      await stretch(bench, running, LEAD_IN)
      running.rounds.push(await measureOnce(bench, running, idleRate))
    })
    // So that nobody always comes after the same one.
    left = [...left.slice(1), ...left.slice(0, 1)]
  }
  return all.filter((running) => left.includes(running))
}

async function warm(bench: Bench, running: Running): Promise<void> {
  const isWarm = (seconds: number) =>
    (running.sent >= WARM.requests || seconds >= WARM.mostSeconds) &&
    (running.sent >= bench.tokens.length || seconds >= WARM.mostSecondsForTokens)
  for (let seconds = 0; !isWarm(seconds); seconds += 1) await stretch(bench, running, 1)
}

/** What all instances that are up ask of Redis in a second without any request. */
async function idleCommands(redis: Redis, seconds: number): Promise<number> {
  const [before, began] = [await redisCommands(redis), performance.now()]
  await sleep(seconds * 1_000)
  const asked = (await redisCommands(redis)) - before
  return asked / ((performance.now() - began) / 1_000)
}

async function measureOnce(bench: Bench, running: Running, idleRate: number): Promise<Round> {
  const { servers } = running
  const [commands, before, began] = [
    await redisCommands(bench.redis),
    await usageOf(servers),
    performance.now(),
  ]
  const { requests, seconds, p50Milliseconds } = await stretch(bench, running, bench.options.seconds)
  const [after, took] = [await usageOf(servers), (performance.now() - began) / 1_000]
  const asked = (await redisCommands(bench.redis)) - commands - idleRate * took
  const cpu = after.cpuMicroseconds - before.cpuMicroseconds
  return {
    cpuMicroseconds: cpu / requests,
    busy: cpu / 1e6 / seconds,
    p50Milliseconds,
    rssBytes: after.rssBytes,
    redisCommands: Math.max(0, asked / requests),
  }
}

async function stretch(bench: Bench, running: Running, seconds: number) {
  const { options, tokens, tokensFile, noTokensFile } = bench
  const { peer, servers, sent } = running
  const what: Load = {
    url: servers[0]!.url,
    tokens: peer.isAnonymous ? [] : tokens,
    tokensFile: peer.isAnonymous ? noTokensFile : tokensFile,
    first: sent,
    connections: options.connections,
    seconds,
  }
  const result = await load(options.driver, what)
  running.sent += result.requests
  return result
}
