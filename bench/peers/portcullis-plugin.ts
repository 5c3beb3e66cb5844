/** Portcullis as a plugin in a Fastify application. */
import fastify from 'fastify'
import portcullis from '../../plugins/portcullis.js'
import { listenApp } from '../listen.js'
import { ANSWER } from '../peer.js'
import type { Peer, Serve } from '../peer.js'
import { sharedSettings } from '../portcullis-settings.js'
import type { Setup } from '../setup.js'

async function guarded(setup: Setup, settings: { store?: string; check?: 'replica' | 'redis' } = {}) {
  const { store = setup.redisUrl, check = 'replica' } = settings
  const app = fastify()
  await app.register(portcullis, { ...sharedSettings(setup), store, revocation: { check } })
  app.get('/', { onRequest: app.authenticate }, async () => ANSWER)
  // A memory store doesn't receive the entries of other instances.
  if (store === 'memory') await app.portcullis.revoke({ jti: setup.deniedJti })
  return listenApp(app)
}

export const servers: Record<string, Serve> = {
  replica: (setup) => guarded(setup),
  memory: (setup) => guarded(setup, { store: 'memory' }),
  redis: (setup) => guarded(setup, { check: 'redis' }),
}

const start =
  (server: string): Peer['start'] =>
  async ({ serve }, setup) => [await serve(import.meta.url, server, setup)]

export const peers: Peer[] = [
  { name: 'plugin', title: 'Portcullis plugin', start: start('replica') },
  { name: 'plugin-memory', title: 'Portcullis plugin, store: memory', start: start('memory') },
  { name: 'plugin-redis', title: 'Portcullis plugin, check: redis', start: start('redis') },
]
