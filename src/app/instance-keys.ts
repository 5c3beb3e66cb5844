/** Opens the keys of an instance: one that signs, or those that verify the tokens of another instance. */
import { steadyClock } from '../clock.js'
import type { PluginSettings } from '../config.js'
import type { Log } from '../logger.js'
import type { AccessClaims, Jwt, KeySet, KeyVerifier } from '../token/access-token.js'
import { loadKey } from '../token/key-directory.js'
import { loadVerifyingKeys } from '../token/load-verifying-keys.js'
import { RemoteKeys } from '../token/remote-keys.js'
import type { Algorithm, SigningKey } from '../token/signing-key.js'
import type { VerifyingKey } from '../token/verifying-keys.js'

/** The claims that a verifier compares. */
interface Trust {
  readonly issuer: string
  readonly audience: string
}

/** The functions that need the JWT library. */
export interface JwtFactory {
  createJwt(key: SigningKey, trust: Trust): Promise<Jwt>
  createVerifier(key: VerifyingKey, trust: Trust): Promise<KeyVerifier>
}

export interface InstanceKeys {
  /** The key that signs. `undefined` for an instance that only verifies. */
  readonly signing: SigningKey | undefined
  readonly verifying: KeySet
  /**
   * Signs an access token.
   *
   * @throws {TypeError} if there is no key that signs
   */
  sign(claims: AccessClaims): string
  /** The algorithm whose signatures take the most time. */
  readonly slowest: Algorithm
  /** Returns true unless the keys of the issuer were never fetched. */
  isReady(): boolean
  close(): void
}

/** Explains why a method doesn't work. It follows the name of the method. */
export const NO_SIGNING_KEY =
  'this instance only verifies tokens (keys.verify or keys.jwks); to issue some, it needs keys.signing or keys.dir instead'

/** @throws {KeyError} if a key of the settings can't be used */
export async function openKeys(settings: PluginSettings, log: Log, jwts: JwtFactory): Promise<InstanceKeys> {
  const { keys, store } = settings
  const warn = (warnings: readonly string[]) => {
    for (const warning of warnings) log.warn({ event: 'key_warning' }, warning)
  }
  const createVerifier = (key: VerifyingKey) => jwts.createVerifier(key, settings)
  if (keys.jwks !== undefined) {
    const { algorithm } = keys
    const remote = new RemoteKeys({ url: keys.jwks, algorithm, createVerifier, log, clock: steadyClock })
    await remote.refresh()
    // A key of any algorithm may come later, unless the setting names one.
    return verifyOnly(remote, algorithm ?? 'ES512', {
      isReady: () => remote.isAvailable,
      close: () => remote.close(),
    })
  }
  if (keys.verify !== undefined) {
    const loaded = await loadVerifyingKeys(keys.verify, keys.algorithm)
    warn(loaded.warnings)
    const verifiers = await Promise.all(loaded.keys.map(createVerifier))
    const slowest = verifiers.find(({ algorithm }) => SLOW.has(algorithm)) ?? verifiers[0]!
    return verifyOnly(new Map(verifiers.map((one) => [one.kid, one])), slowest.algorithm)
  }
  const { key, createdFile, warnings } = await loadKey(keys, store === 'memory')
  if (createdFile !== undefined)
    log.info({ event: 'key_created', file: createdFile, kid: key.kid }, 'a signing key was created')
  warn(warnings)
  const { sign, verifier } = await jwts.createJwt(key, settings)
  const verifying = new Map([[key.kid, verifier]])
  return { signing: key, verifying, sign, slowest: key.algorithm, isReady: () => true, close: () => {} }
}

/** Algorithms whose signatures take several times as long as those of the others. */
const SLOW: ReadonlySet<Algorithm> = new Set(['ES384', 'ES512'])

function verifyOnly(
  verifying: KeySet,
  slowest: Algorithm,
  { isReady, close }: Pick<InstanceKeys, 'isReady' | 'close'> = { isReady: () => true, close: () => {} },
): InstanceKeys {
  const sign = () => {
    throw new TypeError(`issue: ${NO_SIGNING_KEY}`)
  }
  return { signing: undefined, verifying, sign, slowest, isReady, close }
}

/** Logs what an instance that only verifies doesn't learn from its store. */
export function warnOfStore({ store }: PluginSettings, isVerifyOnly: boolean, log: Log): void {
  if (!isVerifyOnly) return
  if (store === 'none')
    log.warn(
      { event: 'revocation_off' },
      'store is none: tokens are accepted by key and expiry alone, and a logout or a revoke has no effect here',
    )
  if (store === 'memory')
    log.warn(
      { event: 'revocation_off' },
      'store is memory: this instance doesn’t learn what the issuer revokes, and refuses tokens from before its start',
    )
}
