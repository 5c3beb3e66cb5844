import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { listenApp } from '../listen.js'
import type { Peer, Serve } from '../peer.js'
import type { Setup } from '../setup.js'
import { jwtAndExists } from './fastify-jwt.js'

async function proxy(setup: Setup, isGuarded: boolean) {
  const app = fastify()
  if (isGuarded) app.addHook('onRequest', await jwtAndExists(app, setup))
  // Its default client is undici, which keeps connections open.
  await app.register(httpProxy, { upstream: setup.upstreamUrl })
  return listenApp(app)
}

export const servers: Record<string, Serve> = {
  open: (setup) => proxy(setup, false),
  exists: (setup) => proxy(setup, true),
}

const start =
  (server: string): Peer['start'] =>
  async ({ serve }, setup) => [await serve(import.meta.url, server, setup)]

export const peers: Peer[] = [
  { name: 'http-proxy', title: '@fastify/http-proxy', isOpen: true, start: start('open') },
  {
    name: 'http-proxy-exists',
    title: '@fastify/http-proxy + @fastify/jwt + EXISTS',
    start: start('exists'),
  },
]
