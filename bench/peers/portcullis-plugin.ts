/** Portcullis as a plugin in a Fastify application. */
import fastify from 'fastify'
import portcullis from '../../plugins/portcullis.js'
import { listenApp } from '../listen.js'
import { ANSWER } from '../peer.js'
import type { Peer, Serve } from '../peer.js'
import { sharedSettings } from '../portcullis-settings.js'
import type { Setup } from '../setup.js'

interface Variant {
  readonly store?: string
  readonly check?: 'replica' | 'redis' | 'presence'
  /** The setting `tokens.renewUnder`. No token of a run has so little time left. */
  readonly renewUnder?: string
}

async function guarded(setup: Setup, { store, check = 'replica', renewUnder = '0s' }: Variant = {}) {
  const app = fastify()
  const { tokens, ...shared } = sharedSettings(setup)
  const settings = { ...shared, tokens: { ...tokens, renewUnder }, revocation: { check } }
  await app.register(portcullis, { ...settings, store: store ?? setup.redisUrl })
  app.get('/', { onRequest: app.authenticate }, async () => ANSWER)
  // A memory store doesn't receive the entries of other instances.
  if (store === 'memory') await app.portcullis.revoke({ jti: setup.deniedJti })
  return listenApp(app)
}

export const servers: Record<string, Serve> = {
  replica: (setup) => guarded(setup),
  memory: (setup) => guarded(setup, { store: 'memory' }),
  redis: (setup) => guarded(setup, { check: 'redis' }),
  renewing: (setup) => guarded(setup, { renewUnder: '1m' }),
}

const start =
  (server: string): Peer['start'] =>
  async ({ serve }, setup) => [await serve(import.meta.url, server, setup)]

export const peers: Peer[] = [
  { name: 'plugin', title: 'Portcullis plugin', start: start('replica') },
  { name: 'plugin-memory', title: 'Portcullis plugin, store: memory', start: start('memory') },
  { name: 'plugin-renewing', title: 'Portcullis plugin, sliding renewal', start: start('renewing') },
  { name: 'plugin-redis', title: 'Portcullis plugin, check: redis', start: start('redis') },
]
