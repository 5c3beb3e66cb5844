/** The settings of Portcullis, equal for plugin and gateway. All others have their defaults, so nothing is turned off. */
import fastify from 'fastify'
import portcullis from '../plugins/portcullis.js'
import type { Setup } from './setup.js'
import { ACCESS_LIFE } from './tokens.js'

/** With more tokens than this, the cache gets room for twice as many, like those of the other peers. */
const ENOUGH_BY_DEFAULT = 50_000

export function sharedSettings({
  redisUrl,
  keyPrefix,
  issuer,
  audience,
  algorithm,
  signingKeyFile,
  tokens,
}: Setup) {
  return {
    store: redisUrl,
    keyPrefix,
    issuer,
    audience,
    keys: { algorithm, signing: signingKeyFile },
    tokens: { access: ACCESS_LIFE, ...(tokens > ENOUGH_BY_DEFAULT && { verifiedCache: 2 * tokens }) },
  }
}

/**
 * Revokes the setup's token on all instances, and returns the jti prefix of the current epoch. Tokens that the bench
 * mints need this prefix, because instances treat tokens with another one as older than the epoch. The instance that
 * does this ends afterwards.
 */
export async function revokeAndGetPrefix(setup: Setup): Promise<string> {
  const app = fastify()
  await app.register(portcullis, sharedSettings(setup))
  await app.portcullis.revoke({ jti: setup.deniedJti })
  const { access_token: token = '' } = await app.portcullis.issue({ sub: 'bench' })
  await app.close()
  const [, payload = ''] = token.split('.')
  const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string }
  return jti.slice(0, 8)
}
