import fastifyJwt from '@fastify/jwt'
import fastify from 'fastify'
import { ACCESS_TOKEN_TYPE } from '../src/token/access-token.js'
import type { AccessClaims, KeyVerifier } from '../src/token/access-token.js'
import type { Algorithm, SigningKey } from '../src/token/signing-key.js'

export interface Jwt {
  sign(claims: AccessClaims): string
  readonly verifier: KeyVerifier
}

/**
 * @fastify/jwt, bound to one key and one algorithm. It lives on a Fastify instance of its own that never listens:
 *   there it can't meet the host's @fastify/jwt, whichever was registered first, and the host's tokens don't verify
 *   with it.
 */
export async function createJwt(
  key: SigningKey,
  { issuer, audience }: { issuer: string; audience: string },
): Promise<Jwt> {
  const island = fastify()
  await island.register(fastifyJwt, {
    secret: exportSecret(key),
    sign: signOptions(key, ACCESS_TOKEN_TYPE),
    verify: {
      algorithms: [key.algorithm satisfies Algorithm],
      allowedIss: issuer,
      allowedAud: audience,
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp'],
      checkTyp: ACCESS_TOKEN_TYPE,
      // The time is judged with the other claims, in one place and by one clock.
      ignoreExpiration: true,
      ignoreNotBefore: true,
      cache: false,
    },
  })
  await island.ready()
  return {
    sign: (claims) => island.jwt.sign(claims as object),
    verifier: {
      kid: key.kid,
      algorithm: key.algorithm,
      verify: (token) => island.jwt.verify<Record<string, unknown>>(token),
    },
  }
}

/**
 * Signs what isn't an access token, with the same key: `typ` tells the two apart, as no guard takes another than its
 * own. On an island of its own, as the type is set for good when @fastify/jwt is registered.
 */
export async function createSigner(key: SigningKey, typ: string): Promise<(claims: object) => string> {
  const island = fastify()
  await island.register(fastifyJwt, { secret: exportSecret(key), sign: signOptions(key, typ) })
  await island.ready()
  return (claims) => island.jwt.sign(claims)
}

function signOptions({ algorithm, kid }: SigningKey, typ: string) {
  return { algorithm, kid, header: { alg: algorithm, typ } }
}

function exportSecret(key: SigningKey): Buffer | { private: string; public: string } {
  if (key.private.type === 'secret') return key.private.export()
  return {
    private: key.private.export({ format: 'pem', type: 'pkcs8' }).toString(),
    public: key.public.export({ format: 'pem', type: 'spki' }).toString(),
  }
}
