/** What a run is made of: a form of Redis, settings, faults, and what these faults excuse. */
import type { Overrides } from '../support/gateway-process.js'
import type { Allowances } from './checker.js'
import { clocks } from './faults-clock.js'
import { losses } from './faults-loss.js'
import { failovers, nodeFrozen, slotMoved, workerFrozen, workerKilled } from './faults-servers.js'
import { refusedWrites } from './faults-writes.js'
import type { FaultKind } from './faults.js'
import {
  connectionsKilled,
  gatewayFrozen,
  gatewayKilled,
  gatewayKilledInLogouts,
  linkCut,
  linkSlow,
  redisFrozen,
  redisRestarted,
} from './faults.js'
import type { Topology } from './store.js'

export interface Mix {
  readonly topology: Topology
  readonly gateways: number
  readonly settings: Overrides
  readonly faults: readonly FaultKind[]
  readonly allowances: Pick<Allowances, 'loss' | 'clockError' | 'thawed'>
  /** Connections are closed after each request, so that requests are spread over workers. */
  readonly isSpread?: boolean
  /** The key is revoked near the end. */
  readonly endsWithKid?: boolean
}

const processes = [gatewayFrozen, gatewayKilled, gatewayKilledInLogouts, connectionsKilled]
const safeFaults = [...processes, redisFrozen, redisRestarted, linkCut, linkSlow, ...refusedWrites]
const survivable = [gatewayFrozen, gatewayKilled, connectionsKilled].map((one) => ({ ...one, weight: 1 }))

const safe: Mix = {
  topology: 'durable',
  gateways: 3,
  settings: {},
  faults: safeFaults,
  allowances: { loss: 'none', clockError: 0 },
}

/** Gateways stay alive while Redis forgets: what they know is all that is left. */
const lossy = (onLostHistory: 'reject' | 'heal' | 'accept'): Mix => ({
  ...safe,
  topology: 'single',
  settings: { revocation: { onLostHistory } },
  faults: [...losses, ...survivable, linkSlow],
  allowances: { loss: onLostHistory, clockError: 0 },
})

/** Without `waitReplicas`, an old primary that thaws takes writes until a Sentinel demotes it (ADR 0013, note 5). */
const failingOver: Mix = {
  ...safe,
  topology: 'sentinel',
  faults: [...failovers, ...survivable],
  allowances: { loss: 'heal', clockError: 0, thawed: true },
}

export const MIXES: Readonly<Record<string, Mix>> = {
  safe,
  'loss-reject': lossy('reject'),
  'loss-heal': lossy('heal'),
  'loss-accept': lossy('accept'),
  clocks: {
    ...safe,
    faults: [...clocks, ...survivable],
    allowances: { loss: 'none', clockError: 2_000 },
  },
  sentinel: failingOver,
  'sentinel-wait': {
    ...failingOver,
    settings: { revocation: { waitReplicas: 2 } },
    allowances: { loss: 'heal', clockError: 0 },
  },
  cluster: { ...safe, topology: 'cluster', faults: [nodeFrozen, slotMoved, ...processes] },
  workers: {
    ...safe,
    gateways: 2,
    settings: { workers: 2 },
    faults: [...safeFaults, workerKilled, workerFrozen],
    isSpread: true,
  },
  'check-redis': { ...safe, settings: { revocation: { check: 'redis' } } },
  kid: { ...safe, endsWithKid: true },
  /** What CI runs. */
  'safe+clocks': {
    ...safe,
    faults: [...safeFaults, ...clocks],
    allowances: { loss: 'none', clockError: 2_000 },
  },
}
