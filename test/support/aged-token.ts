import { createJwt } from '../../plugins/jwt.js'
import { loadKey } from '../../src/token/key-directory.js'
import { claimsOf, sharedSettings } from './gateway-process.js'

/** The token as the instances of `directory` would have signed it some time ago, with this many seconds left. */
export async function withSecondsLeft(directory: string, token: string, left: number): Promise<string> {
  const settings = sharedSettings(directory)
  const { key } = await loadKey({ algorithm: 'ES256', dir: settings.keys.dir })
  const claims = claimsOf(token)
  const exp = Math.floor(Date.now() / 1000) + left
  return (await createJwt(key, settings)).sign({ ...claims, iat: exp - (claims.exp - claims.iat), exp })
}
