/** What a peer of the bench is: one that answers `GET /` with the same JSON, after a check or without one. */
import type { BenchAlgorithm } from './options.js'
import type { Server, Servers } from './processes.js'
import type { Setup } from './setup.js'

/** What every peer answers, itself or from the upstream. */
export const ANSWER = { hello: 'world' }

export interface Peer {
  /** For `--peers` and the plot. */
  readonly name: string
  /** Its row in the table. */
  readonly title: string
  /** Lets everybody in. */
  readonly isOpen?: boolean
  /** Checks tokens, but knows nothing of revocation. */
  readonly admitsRevoked?: boolean
  /** Only when it is asked for by name. */
  readonly isOptional?: boolean
  /** Gets requests without a token. */
  readonly isAnonymous?: boolean
  /** Which it can verify; undefined: all. */
  readonly algorithms?: readonly BenchAlgorithm[]
  /** The program without which it is left out. */
  readonly program?: string
  /** Starts it. The first server is the one that is asked; the CPU time of all counts. */
  start(servers: Servers, setup: Setup): Promise<readonly Server[]>
}

/** A server's main function, run in the server's own process. Resolves when it listens. */
export type Serve = (setup: Setup) => Promise<Listening>

export interface Listening {
  readonly url: string
  /** For the bench of refreshes: a session each. */
  readonly refreshTokens?: readonly string[]
}
