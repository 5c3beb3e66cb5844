import type { PluginSettings } from '../config.js'
import type { ServerChecks } from '../redis/server-checks.js'

/** The state of an instance, for `/readyz`. */
export interface Readiness {
  readonly isReady: boolean
  /**
   * `full` if the memory of Redis is short, so that logins are refused. Everything else works. `none` with `store: none`,
   * where nothing can be revoked.
   */
  readonly store: 'reachable' | 'full' | 'unreachable' | 'none'
  /** `missing` while the keys of the issuer were never fetched. `undefined` without `keys.jwks`. */
  readonly keys: 'fetched' | 'missing' | undefined
  readonly revocation: Readonly<Record<string, unknown>>
  /** The state of the Redis server. `undefined` with `store: memory` and before the first connection. */
  readonly redis: ServerChecks | undefined
  /** The names of settings that differ on another instance. `undefined` with `store: memory`. */
  readonly differingSettings: readonly string[] | undefined
}

export function describeStore(
  { store }: PluginSettings,
  isReachable: boolean,
  isShort: boolean | undefined,
): Readiness['store'] {
  if (store === 'none') return 'none'
  if (!isReachable) return 'unreachable'
  return isShort === true ? 'full' : 'reachable'
}
