/** The setup that all peers share: the key, a Redis, an upstream, and the revoked token. */
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from '../src/token/signing-key.js'
import type { BenchAlgorithm } from './options.js'

/** The setup, passed to each server as JSON. */
export interface Setup {
  readonly directory: string
  readonly redisUrl: string
  /** The `keyPrefix` of Portcullis. */
  readonly keyPrefix: string
  /** The upstream of the proxies. It is empty until the upstream has started. */
  readonly upstreamUrl: string
  readonly issuer: string
  readonly audience: string
  readonly algorithm: BenchAlgorithm
  /** The path of a JWK, for Portcullis. */
  readonly signingKeyFile: string
  /** The key of the other peers: the text of the secret (HS256), or a public key as PEM. */
  readonly verifyingKey: string
  /** The path of a file with `verifyingKey`. */
  readonly verifyingKeyFile: string
  /** The number of good tokens. Caches are sized for them. */
  readonly tokens: number
  readonly connections: number
  /** The `jti` of the revoked token. */
  readonly deniedJti: string
}

/** Returns the Redis key of a revoked token, for the peers other than Portcullis. */
export const denialKey = (jti: string) => `denied:${jti}`

type Given = Pick<Setup, 'algorithm' | 'tokens' | 'connections' | 'redisUrl' | 'upstreamUrl'>

export async function createSetup(given: Given): Promise<Setup> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-'))
  const { signing, verifying } = makeKey(given.algorithm)
  const [signingKeyFile, verifyingKeyFile] = [
    join(directory, 'signing.jwk'),
    join(directory, 'verifying.pem'),
  ]
  await writeFile(signingKeyFile, JSON.stringify(signing), { mode: 0o600 })
  await writeFile(verifyingKeyFile, verifying, { mode: 0o600 })
  return {
    ...given,
    directory,
    keyPrefix: 'bench',
    issuer: 'https://bench.example',
    audience: 'https://bench.example',
    signingKeyFile,
    verifyingKey: verifying,
    verifyingKeyFile,
    deniedJti: randomBytes(22).toString('base64url'),
  }
}

export async function removeSetup({ directory }: Setup): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

function makeKey(algorithm: BenchAlgorithm) {
  if (algorithm === 'HS256') {
    // Printable, because HAProxy and most applications read their secret from a configuration file.
    const secret = randomBytes(36).toString('base64url')
    const k = Buffer.from(secret).toString('base64url')
    return { signing: { kty: 'oct', k, alg: algorithm }, verifying: secret }
  }
  // Portcullis generates longer keys, but most keys in use have 2048 bits. A longer one would favour our cache.
  const signing = /^[RP]S/.test(algorithm)
    ? { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }) }
    : generateKey(algorithm)
  const key = createPublicKey({ key: signing as JsonWebKey, format: 'jwk' })
  return {
    signing: { ...signing, alg: algorithm },
    verifying: key.export({ format: 'pem', type: 'spki' }).toString(),
  }
}
