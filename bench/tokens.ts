/** Mints access tokens in the format of Portcullis, for all peers. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { CompactSign } from 'jose'
import { ACCESS_TOKEN_TYPE, newClaims } from '../src/token/access-token.js'
import type { AccessClaims } from '../src/token/access-token.js'
import { importKey } from '../src/token/signing-key.js'
import type { Sid } from '../src/session/session.js'
import type { Setup } from './setup.js'

/** Longer than any run takes, even with 100,000 RS256 tokens and many rounds. */
export const ACCESS_LIFE = '6h'
const ACCESS_MILLISECONDS = 6 * 3_600_000
/** The number of tokens that are signed at the same time, by Node's thread pool. */
const BATCH = 64

export interface Tokens {
  readonly good: readonly string[]
  /** A good token with a changed payload. */
  readonly forged: string
  readonly expired: string
  /** A token whose `jti` is the setup's `deniedJti`. */
  readonly revoked: string
}

/**
 * Mints the tokens. Call it when the servers have been running for a second: a memory store refuses tokens from before
 * its start, because it doesn't know what was revoked then. `mark` is the jti prefix of the instances on Redis.
 */
export async function mintTokens(setup: Setup, jtiPrefix: string): Promise<Tokens> {
  const key = await importKey(await readFile(setup.signingKeyFile, 'utf8'), setup.algorithm)
  const header = { alg: key.algorithm, typ: ACCESS_TOKEN_TYPE, kid: key.kid }
  const sign = (claims: AccessClaims) =>
    new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(key.private)
  const good: string[] = []
  while (good.length < setup.tokens) {
    const count = Math.min(BATCH, setup.tokens - good.length)
    const batch = Array.from({ length: count }, (_, i) =>
      sign(claimsOf(setup, jtiPrefix, `user-${good.length + i}`)),
    )
    good.push(...(await Promise.all(batch)))
  }
  const claims = claimsOf(setup, jtiPrefix, 'user-of-the-check')
  const [head, , signature = ''] = (await sign(claims)).split('.')
  const forged = `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')}.${signature}`
  return {
    good,
    forged,
    expired: await sign({ ...claims, iat: claims.iat - 120, exp: claims.iat - 60 }),
    revoked: await sign({ ...claims, jti: setup.deniedJti }),
  }
}

function claimsOf({ issuer, audience }: Setup, jtiPrefix: string, sub: string): AccessClaims {
  const now = Date.now()
  const session = {
    sid: randomBytes(16).toString('base64url') as Sid,
    sub,
    clientId: 'portcullis',
    scope: undefined,
    claims: {},
    createdAt: now,
    lastSeenAt: now,
    endsAt: 0,
    expiresAt: now + ACCESS_MILLISECONDS,
    jtiPrefix,
    loginJtiPrefix: jtiPrefix,
    refreshCount: 0,
  }
  const stamp = { issuedAt: Math.floor(now / 1000), jtiPrefix }
  const jti = randomBytes(16).toString('base64url')
  return newClaims(session, stamp, jti, { issuer, audience, access: ACCESS_MILLISECONDS, jitter: 0 })
}
