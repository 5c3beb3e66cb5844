import type { Peer } from './peer.js'
import { peers as bare } from './peers/bare.js'
import { peers as express } from './peers/express.js'
import { peers as fastGateway } from './peers/fast-gateway.js'
import { peers as fastifyJwt } from './peers/fastify-jwt.js'
import { peers as haproxy } from './peers/haproxy.js'
import { peers as httpProxy } from './peers/http-proxy.js'
import { peers as nginx } from './peers/nginx.js'
import { peers as gateway } from './peers/portcullis-gateway.js'
import { peers as plugin } from './peers/portcullis-plugin.js'

/** All peers. Those that respond themselves come first, then the proxies. */
export const PEERS: readonly Peer[] = [
  ...bare,
  ...plugin,
  ...fastifyJwt,
  ...express,
  ...gateway,
  ...httpProxy,
  ...fastGateway,
  ...nginx,
  ...haproxy,
]
