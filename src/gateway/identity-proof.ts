import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import type { PluginSettings } from '../config.js'
import { identityHeaders } from './identity-headers.js'
import type { SigningKey } from '../token/signing-key.js'
import type { Auth } from '../token/auth.js'

/** The `typ` of the signed proof. It differs from an access token's `typ`, so neither is accepted as the other. */
export const IDENTITY_TOKEN_TYPE = 'identity+jwt'

/** Builds the headers that tell an upstream who the subject is. */
export interface IdentityProof {
  /** Names of all headers that `build` may set. They are removed from every client's request. */
  readonly names: readonly string[]
  /** Returns values by header name, `undefined` for a header to leave out. For upstreams and trusted proxies only. */
  build(auth: Auth): Record<string, string | undefined>
  /** Returns the headers without the signed proof, for clients: whoever holds the proof could present it to an upstream. */
  withoutProof(auth: Auth): Record<string, string | undefined>
}

/** Creates a function that signs JWTs of the type `typ` with a key. */
export type CreateSigner = (key: SigningKey, typ: string) => Promise<(claims: object) => string>

interface IdentityDependencies {
  readonly createSigner: CreateSigner
  /** `undefined` for an instance that only verifies. It has no `identity.token`. */
  readonly key: SigningKey | undefined
  readonly clock: Clock
  readonly settings: Pick<PluginSettings, 'identity' | 'issuer'>
}

/** Creates the builder of the identity headers. With `identity.token`, one header is a signed JWT. */
export async function createIdentityProof(dependencies: IdentityDependencies): Promise<IdentityProof> {
  const { headers, token } = dependencies.settings.identity
  const plain = identityHeaders(headers)
  const names = Object.keys(headers)
  const withoutProof = ({ claims }: Auth) => plain(claims)
  if (token === undefined) return { names, build: withoutProof, withoutProof }
  const getProof = await createProofs(dependencies, token)
  return {
    names: [...names, token.header],
    build: (auth) => ({ ...plain(auth.claims), [token.header]: getProof(auth) }),
    withoutProof,
  }
}

interface Proof {
  readonly jwt: string
  readonly freshUntil: UnixMs
}

/**
 * Returns a function that signs a short-lived JWT for upstreams that require proof. Signing is the slowest step of a
 * request, so one JWT is reused for half of its lifetime. It stays in memory as long as the `Auth` of its access token
 * is cached (`tokens.verifiedCache`).
 */
async function createProofs(
  { createSigner, key, settings, clock }: IdentityDependencies,
  { audience, life }: { readonly audience: string; readonly life: Milliseconds },
): Promise<(auth: Auth) => string> {
  if (key === undefined) throw new TypeError('identity.token needs a key that signs')
  const sign = await createSigner(key, IDENTITY_TOKEN_TYPE)
  const proofs = new WeakMap<Auth, Proof>()
  return (auth) => {
    const now = clock.now()
    const known = proofs.get(auth)
    if (known !== undefined && now < known.freshUntil) return known.jwt
    const iat = toSeconds(now)
    const { scope } = auth.claims
    const jwt = sign({
      iss: settings.issuer,
      aud: audience,
      sub: auth.sub,
      sid: auth.sid,
      jti: randomBytes(16).toString('base64url'),
      iat,
      exp: Math.min(iat + toSeconds(life), auth.expiresAt),
      ...(scope !== undefined && { scope }),
    })
    proofs.set(auth, { jwt, freshUntil: now + life / 2 })
    return jwt
  }
}
