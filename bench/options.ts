/** The command line of the bench. */
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { isInstalled } from './programs.js'

/** One algorithm of each kind. The variants with 384 and 512 bits would show nothing new. */
export const BENCH_ALGORITHMS = ['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'] as const
export type BenchAlgorithm = (typeof BENCH_ALGORITHMS)[number]

export const DRIVERS = ['wrk', 'autocannon'] as const
export type Driver = (typeof DRIVERS)[number]

export interface Options {
  readonly algorithm: BenchAlgorithm
  /** The number of different good tokens, which are sent in turn. */
  readonly tokens: number
  readonly connections: number
  /** The number of rounds per launch. */
  readonly rounds: number
  /** The number of times that all processes are started. */
  readonly launches: number
  /** The duration of the load per peer and round. */
  readonly seconds: number
  /** The names of the peers. `undefined` means all that aren't optional. */
  readonly peers: readonly string[] | undefined
  readonly baseline: string
  readonly driver: Driver
  readonly out: string
}

/** A wrong command line. The message names the flag and the valid values. */
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
npm run bench -- refresh [--flag value …]   CPU and Redis commands of a refresh (see its --help)
npm run bench -- million                a million denylist entries (COUNT=1000000)
npm run bench -- lost-data              the time to a lease after FLUSHALL (COUNT=1000000 INSTANCES=3)

  --algorithm   ${BENCH_ALGORITHMS.join(', ')}  (RS256)
  --tokens      number of different tokens, sent in turn: 1, 1000, 100000 …  (1000)
  --connections number of connections of the load generator  (64)
  --rounds      number of rounds; each round measures every peer once  (5)
  --launches    number of times that all processes are started  (1)
  --seconds     duration of the load per peer and round  (2)
  --peers       names, separated by commas  (all without a *)
  --baseline    peer to which the others are compared  (bare)
  --driver      ${DRIVERS.join(', ')}  (wrk if it is installed)
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
  if (found === undefined)
    throw new UsageError(`--${flag}: ${value} is not valid; write one of ${known.join(', ')}`)
  return found
}

/** @throws {UsageError} */
export function positive(flag: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) {
    throw new UsageError(`--${flag}: ${value} is not a whole number above 0`)
  }
  return number
}
