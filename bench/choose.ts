/** Chooses the peers of a run, and gives the reasons for those that are left out. */
import type { Options } from './options.js'
import type { Peer } from './peer.js'
import { isInstalled } from './programs.js'
import type { LeftOut } from './results.js'

export interface Choice {
  /** The peers of the run. They always include the baseline. */
  readonly peers: readonly Peer[]
  readonly leftOut: readonly LeftOut[]
}

export function choose(all: readonly Peer[], { algorithm, peers, baseline }: Options): Choice {
  const isWanted = ({ name, isOptional }: Peer) =>
    name === baseline || (peers ? peers.includes(name) : !isOptional)
  const checked = all.filter(isWanted).map((peer) => ({ peer, why: obstacle(peer, algorithm) }))
  return {
    peers: checked.filter(({ why }) => why === undefined).map(({ peer }) => peer),
    leftOut: checked.flatMap(({ peer: { name }, why }) => (why === undefined ? [] : [{ name, why }])),
  }
}

function obstacle({ program, algorithms }: Peer, algorithm: Options['algorithm']): string | undefined {
  if (algorithms && !algorithms.includes(algorithm)) return `it doesn’t support ${algorithm}`
  if (program === undefined) return undefined
  if (process.platform !== 'linux') return 'its CPU time can be read on Linux only'
  return isInstalled(program) ? undefined : `${program} isn’t installed`
}
