/** What all peers share: the key, a private Redis, an upstream, and which token is denied. */
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from '../src/token/signing-key.js'
import type { BenchAlgorithm } from './options.js'

/** Given to each server as JSON. */
export interface Setup {
  readonly directory: string
  readonly redisUrl: string
  /** Of our own keys in it. */
  readonly keyPrefix: string
  /** The server behind the proxies; empty where there is none. */
  readonly upstreamUrl: string
  readonly issuer: string
  readonly audience: string
  readonly algorithm: BenchAlgorithm
  /** A JWK; ours take it so. */
  readonly signingKeyFile: string
  /** What the others verify with: the secret's text (HS256), or a public key as PEM. */
  readonly verifyingKey: string
  /** The same in a file. */
  readonly verifyingKeyFile: string
  /** How many good tokens there are: caches are sized for them. */
  readonly tokens: number
  readonly connections: number
  /** The `jti` of a token that every peer must refuse. */
  readonly deniedJti: string
}

/** Where the peers without us have their denylist: one key a token. */
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
    // Printable, as HAProxy and most applications have theirs from a configuration file.
    const secret = randomBytes(36).toString('base64url')
    const k = Buffer.from(secret).toString('base64url')
    return { signing: { kty: 'oct', k, alg: algorithm }, verifying: secret }
  }
  // Ours are longer by default; most that are about have 2048 bits, and a longer one would only flatter our cache.
  const signing = /^[RP]S/.test(algorithm)
    ? { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }) }
    : generateKey(algorithm)
  const key = createPublicKey({ key: signing as JsonWebKey, format: 'jwk' })
  return {
    signing: { ...signing, alg: algorithm },
    verifying: key.export({ format: 'pem', type: 'spki' }).toString(),
  }
}
