import { randomBytes } from 'node:crypto'
import { toSeconds } from '../src/clock.js'
import type { Clock, Milliseconds, UnixMs } from '../src/clock.js'
import type { PluginSettings } from '../src/config.js'
import { identityHeaders } from '../src/gateway/identity-headers.js'
import type { SigningKey } from '../src/token/signing-key.js'
import type { Auth } from '../src/token/token-verifier.js'
import { createSigner } from './jwt.js'

/** Its own, so that it is never good as an access token, nor the other way round. */
export const IDENTITY_TOKEN_TYPE = 'identity+jwt'

/** What tells an upstream who asks. */
export interface IdentityProof {
  /** Of every header that it may set; taken from no client. */
  readonly names: readonly string[]
  /** Header name → value; undefined: none of that name. For an upstream, or who stands before one. */
  build(auth: Auth): Record<string, string | undefined>
  /** The same without the signed proof, which whoever has it could show to an upstream. */
  withoutProof(auth: Auth): Record<string, string | undefined>
}

interface Ports {
  readonly key: SigningKey
  readonly clock: Clock
  readonly settings: Pick<PluginSettings, 'identity' | 'issuer'>
}

/** The identity headers, and the signed one where `identity.token` asks for it. */
export async function createIdentityProof(ports: Ports): Promise<IdentityProof> {
  const { headers, token } = ports.settings.identity
  const plain = identityHeaders(headers)
  const names = Object.keys(headers)
  const withoutProof = ({ claims }: Auth) => plain(claims)
  if (token === undefined) return { names, build: withoutProof, withoutProof }
  const proofOf = await createProofs(ports, token)
  return {
    names: [...names, token.header],
    build: (auth) => ({ ...plain(auth.claims), [token.header]: proofOf(auth) }),
    withoutProof,
  }
}

interface Proof {
  readonly jwt: string
  readonly freshUntil: UnixMs
}

/**
 * A short JWT for upstreams that want proof. Signing takes longer than all the rest, so one is sent for half of its
 * life. It is kept beside what is remembered of the access token, and for as long (`tokens.verifiedCache`).
 */
async function createProofs(
  { key, settings, clock }: Ports,
  { audience, life }: { readonly audience: string; readonly life: Milliseconds },
): Promise<(auth: Auth) => string> {
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
