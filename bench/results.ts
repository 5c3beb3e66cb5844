/** The results of a run. Table, plot and JSON are derived from them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { figuresFor } from './figures.js'
import type { Figure } from './figures.js'
import type { Running } from './measure.js'
import type { Options } from './options.js'
import { findProgram } from './programs.js'
import { quietRounds, ratioOf, spreadOf } from './statistics.js'
import type { Spread } from './statistics.js'

export interface Results {
  readonly options: Omit<Options, 'out' | 'peers'>
  readonly machine: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
  readonly figures: readonly FigureResult[]
  readonly leftOut: readonly LeftOut[]
}

export interface Row {
  readonly name: string
  readonly title: string
  readonly cpuMicroseconds: Spread
  readonly ratio: Spread
  readonly p50Milliseconds: number
  readonly busy: number
  readonly rssMegabytes: number
  readonly redisCommands: number
}

export interface FigureResult extends Figure {
  /** The number of quiet rounds, from which the ratio is computed. */
  readonly rounds: number
  readonly ratio: Spread
  readonly verdict: Verdict
}

/** The verdict `open` means that the interval of the median contains the target, so the run hasn't decided it. */
export type Verdict = 'aim' | 'reached' | 'missed' | 'open'

export interface LeftOut {
  readonly name: string
  readonly why: string
}

export function resultsOf(
  options: Options,
  all: readonly Running[],
  leftOut: readonly LeftOut[],
  pinning: string,
): Results {
  const cpuOf = (name: string) =>
    all.find(({ peer }) => peer.name === name)?.rounds.map(({ cpuMicroseconds }) => cpuMicroseconds)
  const base = cpuOf(options.baseline) ?? []
  const rows = all.map(({ peer: { name, title }, rounds }): Row => {
    const of = (pick: (round: Running['rounds'][number]) => number) => spreadOf(rounds.map(pick))
    return {
      name,
      title,
      cpuMicroseconds: of((round) => round.cpuMicroseconds),
      ratio: ratioOf(cpuOf(name) ?? [], base),
      p50Milliseconds: of((round) => round.p50Milliseconds).median,
      busy: of((round) => round.busy).median,
      rssMegabytes: of((round) => round.rssBytes / 2 ** 20).max,
      redisCommands: of((round) => round.redisCommands).median,
    }
  })
  const figures = figuresFor(options).flatMap((figure): FigureResult[] => {
    const [own, other] = [cpuOf(figure.peer), cpuOf(figure.to)]
    if (!own || !other) return []
    const quiet = quietRounds(other)
    const of = (values: readonly number[]) => quiet.map((round) => values[round] ?? Number.NaN)
    const ratio = ratioOf(of(own), of(other))
    return [{ ...figure, rounds: quiet.length, ratio, verdict: compare(ratio, figure) }]
  })
  const { out: _out, peers: _peers, ...shown } = options
  return {
    options: shown,
    machine: { ...machineOf(pinning), ...softwareOf(options) },
    rows,
    figures,
    leftOut,
  }
}

function compare({ low, high }: Spread, { reach, aim }: Figure): Verdict {
  if (high <= aim) return 'aim'
  if (high <= reach) return 'reached'
  return low > reach ? 'missed' : 'open'
}

/** Describes the machine and the date of the measurement. */
export function machineOf(pinning: string) {
  const processors = cpus()
  return {
    date: `${new Date().toISOString().slice(0, 16)}Z`,
    commit: firstLine('git', ['describe', '--always', '--dirty']),
    processor: `${processors[0]?.model ?? 'unknown'}, ${processors.length} cores`,
    pinning,
    node: process.version,
    redis: firstLine('redis-server', ['--version']),
  }
}

const PACKAGES = [
  'fastify',
  '@fastify/jwt',
  'ioredis',
  'express',
  'jsonwebtoken',
  '@fastify/http-proxy',
  'fast-gateway',
]

function softwareOf({ driver }: Options) {
  return {
    driver: driver === 'wrk' ? firstLine('wrk', ['-v']) : versionOf('autocannon'),
    packages: PACKAGES.map(versionOf).join(', '),
    nginx: firstLine('nginx', ['-v']),
    haproxy: firstLine('haproxy', ['-v']),
  }
}

function firstLine(program: string, args: string[]): string {
  const path = findProgram(program)
  if (path === undefined) return 'not installed'
  const { stdout, stderr } = spawnSync(path, args, { encoding: 'utf8' })
  return `${stdout}${stderr}`.split('\n', 1)[0]!.replace(/^nginx version: | (?:- |\[|Copyright|sha=).*/g, '')
}

function versionOf(name: string): string {
  // Not every package exports its package.json.
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as {
    version: string
  }
  return `${name} ${version}`
}
