/** Our own settings, alike for the plugin and the gateway. What isn't here has its default: nothing is switched off. */
import fastify from 'fastify'
import portcullis from '../plugins/portcullis.js'
import type { Setup } from './setup.js'
import { ACCESS_LIFE } from './tokens.js'

/** Beyond, the cache has room for twice the tokens, as the others' have; else its default size. */
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
 * Denies the setup's token on all instances, as one of them that is gone afterwards, and tells the mark that tokens of
 * theirs begin their `jti` with (one that was minted elsewhere might be older than what they know of).
 */
export async function denyAndTellMark(setup: Setup): Promise<string> {
  const app = fastify()
  await app.register(portcullis, sharedSettings(setup))
  await app.portcullis.revoke({ jti: setup.deniedJti })
  const { access_token: token = '' } = await app.portcullis.issue({ sub: 'bench' })
  await app.close()
  const [, payload = ''] = token.split('.')
  const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string }
  return jti.slice(0, 8)
}
