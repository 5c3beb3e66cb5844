import fastify from 'fastify'
import { listenApp } from '../listen.js'
import { hostOf, KEPT, startNginx } from '../nginx.js'
import type { Peer, Serve } from '../peer.js'
import type { Server, Servers } from '../processes.js'
import type { Setup } from '../setup.js'
import { jwtAndExists } from './fastify-jwt.js'
import { startGateway } from './portcullis-gateway.js'

export const servers: Record<string, Serve> = {
  /** The server for `auth_request`. It runs the check and sends an empty response. */
  async check(setup) {
    const app = fastify()
    const onRequest = await jwtAndExists(app, setup)
    app.get('/', { onRequest }, async (_request, reply) => reply.code(204).send())
    return listenApp(app)
  },
}

const block = (name: string, url: string) =>
  `upstream ${name} { server ${hostOf(url)}; keepalive 256; keepalive_requests 1000000000; }`

/** Starts nginx in front of the upstream. It sends a check to `check` before it forwards a request. */
async function startAuthRequest(
  all: Servers,
  setup: Setup,
  check: Server,
  checkPath: string,
): Promise<Server[]> {
  const nginx = await startNginx(all, setup.directory, {
    http: `${block('behind', setup.upstreamUrl)} ${block('check', check.url)}`,
    locations: `
      location / { auth_request /check; proxy_pass http://behind; ${KEPT} }
      location = /check {
        internal; proxy_pass http://check${checkPath}; ${KEPT}
        proxy_pass_request_body off; proxy_set_header Content-Length "";
      }`,
  })
  return [nginx, check]
}

export const peers: Peer[] = [
  {
    name: 'nginx',
    title: 'nginx proxy_pass',
    program: 'nginx',
    isOpen: true,
    async start(all, setup) {
      const locations = `location / { proxy_pass http://behind; ${KEPT} }`
      return [await startNginx(all, setup.directory, { http: block('behind', setup.upstreamUrl), locations })]
    },
  },
  {
    name: 'nginx-exists',
    title: 'nginx auth_request → Fastify + @fastify/jwt + EXISTS',
    program: 'nginx',
    start: async (all, setup) =>
      startAuthRequest(all, setup, await all.serve(import.meta.url, 'check', setup), '/'),
  },
  {
    name: 'nginx-portcullis',
    title: 'nginx auth_request → Portcullis /auth/verify',
    program: 'nginx',
    start: async (all, setup) =>
      startAuthRequest(all, setup, await startGateway(all, setup, 'required'), '/auth/verify'),
  },
]
