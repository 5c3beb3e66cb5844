/** The peers of the bench. Each responds to `GET /` with the same JSON, with or without verifying a token. */
import type { BenchAlgorithm } from './options.js'
import type { Server, Servers } from './processes.js'
import type { Setup } from './setup.js'

/** The response body of every peer, sent by itself or by the upstream. */
export const ANSWER = { hello: 'world' }

export interface Peer {
  /** The name for `--peers` and the plot. */
  readonly name: string
  /** The title of its row in the table. */
  readonly title: string
  /** True if it admits every request. */
  readonly isOpen?: boolean
  /** True if it verifies tokens but has no revocation. */
  readonly admitsRevoked?: boolean
  /** True if it only runs when `--peers` names it. */
  readonly isOptional?: boolean
  /** True if its requests carry no token. */
  readonly isAnonymous?: boolean
  /** The algorithms that it can verify. `undefined` means all. */
  readonly algorithms?: readonly BenchAlgorithm[]
  /** The program that it needs. If the program isn't installed, the peer is left out. */
  readonly program?: string
  /** Starts its servers. The first one receives the load. The CPU time of all of them counts. */
  start(servers: Servers, setup: Setup): Promise<readonly Server[]>
}

/** The main function of a server in its own process. Resolves when the server listens. */
export type Serve = (setup: Setup) => Promise<Listening>

export interface Listening {
  readonly url: string
  /** For the bench of refreshes: one token per session. */
  readonly refreshTokens?: readonly string[]
}
