import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Listening } from './peer.js'

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

export async function listenApp(app: FastifyInstance): Promise<Listening> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { url: urlOf(app.server) }
}

export async function listenServer(server: Server): Promise<Listening> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { url: urlOf(server) }
}
