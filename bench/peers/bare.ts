/** The baseline: a Fastify route without any check. */
import fastify from 'fastify'
import { listenApp } from '../listen.js'
import { ANSWER } from '../peer.js'
import type { Peer, Serve } from '../peer.js'

export const servers: Record<string, Serve> = {
  async bare() {
    const app = fastify()
    app.get('/', async () => ANSWER)
    return listenApp(app)
  },
}

const start: Peer['start'] = async ({ serve }, setup) => [await serve(import.meta.url, 'bare', setup)]

export const peers: Peer[] = [
  { name: 'bare', title: 'bare Fastify route', isOpen: true, start },
  {
    name: 'bare-anonymous',
    title: 'bare Fastify route, requests without a token',
    isOpen: true,
    isAnonymous: true,
    isOptional: true,
    start,
  },
]
