/** What a run of the bench can be told, on the command line. */
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { isInstalled } from './programs.js'

/** The algorithms of which every kind is there once; the 384 and 512 ones would tell nothing more. */
export const BENCH_ALGORITHMS = ['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'] as const
export type BenchAlgorithm = (typeof BENCH_ALGORITHMS)[number]

export const DRIVERS = ['wrk', 'autocannon'] as const
export type Driver = (typeof DRIVERS)[number]

export interface Options {
  readonly algorithm: BenchAlgorithm
  /** How many distinct good tokens the load rotates through. */
  readonly tokens: number
  readonly connections: number
  /** Of each launch. */
  readonly rounds: number
  /** How often all of it is started anew. */
  readonly launches: number
  readonly seconds: number
  /** Names; undefined: all that aren't optional. */
  readonly peers: readonly string[] | undefined
  readonly baseline: string
  readonly driver: Driver
  readonly out: string
}

/** A wrong command line. The message says which flag, and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const FLAGS = {
  algorithm: { type: 'string', default: 'RS256' },
  tokens: { type: 'string', default: '1000' },
  connections: { type: 'string', default: '64' },
  rounds: { type: 'string', default: '5' },
  launches: { type: 'string', default: '1' },
  seconds: { type: 'string', default: '2' },
  peers: { type: 'string' },
  baseline: { type: 'string', default: 'bare' },
  driver: { type: 'string' },
  out: { type: 'string', default: 'bench/results' },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options']

export function help(peers: readonly { name: string; title: string; isOptional?: boolean }[]): string {
  const width = Math.max(...peers.map(({ name }) => name.length))
  return `npm run bench -- [--flag value …]      CPU per request of each peer, round robin
npm run bench -- refresh [--flag value …]   CPU and Redis of a refresh; --help of its own
npm run bench -- million                a million denials (COUNT=1000000)
npm run bench -- lost-data              a lease after FLUSHALL (COUNT=1000000 INSTANCES=3)

  --algorithm   ${BENCH_ALGORITHMS.join(', ')}  (RS256)
  --tokens      distinct tokens that the load rotates through: 1, 1000, 100000 …  (1000)
  --connections of the load generator  (64)
  --rounds      each peer once a round  (5)
  --launches    all processes anew, so many times  (1)
  --seconds     of load a peer and round  (2)
  --peers       names, with commas  (all but those with a *)
  --baseline    the peer that the ratios are to  (bare)
  --driver      ${DRIVERS.join(', ')}  (wrk where it is installed; never both in one table)
  --out         directory for the results  (bench/results)

Peers:
${peers.map(({ name, title, isOptional }) => `  ${name.padEnd(width)} ${isOptional ? '*' : ' '} ${title}`).join('\n')}`
}

/** @throws {UsageError} */
export function readOptions(args: readonly string[], known: readonly string[]): Options | 'help' {
  const values = parse(args)
  if (values.help) return 'help'
  const peers = values.peers?.split(',').map((name) => oneOf('peers', name.trim(), known))
  return {
    algorithm: oneOf('algorithm', values.algorithm, BENCH_ALGORITHMS),
    tokens: positive('tokens', values.tokens),
    connections: positive('connections', values.connections),
    rounds: positive('rounds', values.rounds),
    launches: positive('launches', values.launches),
    seconds: positive('seconds', values.seconds),
    peers,
    baseline: oneOf('baseline', values.baseline, known),
    driver: oneOf('driver', values.driver ?? (isInstalled('wrk') ? 'wrk' : 'autocannon'), DRIVERS),
    out: values.out,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function oneOf<T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value)
  if (found === undefined) throw new UsageError(`--${flag}: ${value} is none of ${known.join(', ')}`)
  return found
}

/** @throws {UsageError} */
export function positive(flag: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) {
    throw new UsageError(`--${flag}: ${value} is no whole number above 0`)
  }
  return number
}
