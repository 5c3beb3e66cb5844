import type { KeyObject } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import fastify from 'fastify'
import { ACCESS_TOKEN_TYPE } from '../src/token/access-token.js'
import type { Jwt, KeyVerifier } from '../src/token/access-token.js'
import type { Algorithm, SigningKey } from '../src/token/signing-key.js'
import type { VerifyingKey } from '../src/token/verifying-keys.js'

/**
 * Registers @fastify/jwt for one key and one algorithm on a separate Fastify instance that never listens. There it
 * can't conflict with a @fastify/jwt that the host registers, and it doesn't accept tokens of the host.
 */
export async function createJwt(key: SigningKey, trust: { issuer: string; audience: string }): Promise<Jwt> {
  const island = fastify()
  await island.register(fastifyJwt, {
    secret: exportSecret(key),
    sign: signOptions(key, ACCESS_TOKEN_TYPE),
    verify: verifyOptions(key, trust),
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

/** Registers @fastify/jwt as `createJwt` does, for a public key. Nothing can be signed with it. */
export async function createVerifier(
  key: VerifyingKey,
  trust: { issuer: string; audience: string },
): Promise<KeyVerifier> {
  const island = fastify()
  await island.register(fastifyJwt, {
    // The type of @fastify/jwt wants a private key, too.
    secret: { public: exportPublic(key) } as { private: string; public: string },
    verify: verifyOptions(key, trust),
  })
  await island.ready()
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    verify: (token) => island.jwt.verify<Record<string, unknown>>(token),
  }
}

function verifyOptions(
  { algorithm }: { readonly algorithm: Algorithm },
  { issuer, audience }: { issuer: string; audience: string },
) {
  return {
    algorithms: [algorithm],
    allowedIss: issuer,
    allowedAud: audience,
    requiredClaims: ['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp'],
    checkTyp: ACCESS_TOKEN_TYPE,
    // `verifyClaims` checks the times, by our clock and with our leeway.
    ignoreExpiration: true,
    ignoreNotBefore: true,
    cache: false,
  }
}

/**
 * Returns a function that signs JWTs of another type than access tokens, with the same key. Verifiers tell them apart
 * by `typ`. Each type needs its own Fastify instance, because @fastify/jwt fixes the type when it is registered.
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
    public: exportPublic(key),
  }
}

function exportPublic(key: { readonly public: KeyObject }): string {
  return key.public.export({ format: 'pem', type: 'spki' }).toString()
}
