/** The server of `npm run bench -- refresh`: an application with the plugin, and one session per client. */
import fastify from 'fastify'
import portcullis from '../plugins/portcullis.js'
import { listenApp } from './listen.js'
import type { Serve } from './peer.js'
import { sharedSettings } from './portcullis-settings.js'

export const servers: Record<string, Serve> = {
  async refreshing(setup) {
    const app = fastify()
    // The limiter counts as usual, but its maximum is never reached.
    const rateLimit = { refresh: { perAddress: { max: 1_000_000_000 } } }
    await app.register(portcullis, { ...sharedSettings(setup), rateLimit })
    const listening = await listenApp(app)
    const refreshTokens: string[] = []
    for (let i = 0; i < setup.connections; i += 1) {
      const { refresh_token: token = '' } = await app.portcullis.issue({ sub: `user-${i}` })
      refreshTokens.push(token)
    }
    return { ...listening, refreshTokens }
  },
}
