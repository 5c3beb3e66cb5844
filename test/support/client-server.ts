/** An application for clients: it counts the requests to each path, and can refuse or hold them. */
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { text as readText } from 'node:stream/consumers'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Test } from 'tap'
import portcullis from '../../plugins/portcullis.js'
import type { PluginOptions } from '../../src/config.js'
import type { AsyncStorage, ClientOptions } from '../../web/client/client.js'
import { createClient } from '../../web/client/client.js'
import { decode, AUDIENCE, ISSUER } from './access-tokens.js'

export const CREDENTIALS = { username: 'alice', password: 'p' }

type Hook = (reply: FastifyReply) => unknown

export class ClientServer {
  readonly app: FastifyInstance
  url = ''
  /** Called before each request to a path. A reply that it sends is the response. */
  readonly hooks = new Map<string, Hook>()
  readonly #requests: string[] = []

  constructor(app: FastifyInstance) {
    this.app = app
    app.addHook('onRequest', async (request, reply) => {
      const path = request.url.split('?')[0]!
      this.#requests.push(path)
      await this.hooks.get(path)?.(reply)
    })
  }

  /** The number of requests to a path. */
  count(path: string): number {
    return this.#requests.filter((one) => one === path).length
  }

  async listen(): Promise<void> {
    await this.app.register(async (app) => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', (_request: unknown, payload: Readable) => readText(payload))
      app.get('/me', { onRequest: this.app.authenticate }, async ({ auth }) => ({ sub: auth!.sub }))
      app.post('/echo', { onRequest: this.app.authenticate }, async ({ body, headers }) => ({
        type: headers['content-type'],
        body,
      }))
    })
    await this.app.listen({ host: '127.0.0.1', port: 0 })
    this.url = `http://127.0.0.1:${(this.app.server.address() as AddressInfo).port}`
  }

  /** Refuses all requests to a path, until `hooks` is cleared. */
  refuse(path: string, status: number, code: string, headers: Record<string, string> = {}): void {
    this.hooks.set(path, (reply) =>
      reply.code(status).headers(headers).type('application/problem+json').send({ status, code }),
    )
  }

  /** Revokes one access token, so that it gets 401 `token_revoked` while its session continues. */
  async revoke(token: string | undefined): Promise<void> {
    const { jti } = decode(token!.split('.')[1]) as { jti: string }
    await this.app.portcullis.revoke({ jti })
  }

  client(options: ClientOptions = {}) {
    return createClient({ baseUrl: this.url, ...options })
  }
}

export async function openClientServer(t: Test, options: Partial<PluginOptions> = {}): Promise<ClientServer> {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  const server = new ClientServer(app)
  await app.register(portcullis, {
    store: 'memory',
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: { dir: t.testdir() },
    cookies: { secure: false },
    rateLimit: { refresh: { perAddress: { max: 10_000 } } },
    login: ({ username }: { username: string }) => (username === 'nobody' ? null : { sub: username }),
    ...options,
  } as PluginOptions)
  await server.listen()
  return server
}

/** A storage whose methods return promises, and which a test can change. */
export class SharedStorage implements AsyncStorage {
  readonly values = new Map<string, string>()

  async getItem(key: string): Promise<string | undefined> {
    return this.values.get(key)
  }

  async setItem(key: string, value: string): Promise<void> {
    this.values.set(key, value)
  }

  async removeItem(key: string): Promise<void> {
    this.values.delete(key)
  }

  /** Lets the stored access token be `seconds` older than it is. */
  age(seconds: number): void {
    for (const [key, text] of this.values) {
      if (!text.startsWith('{')) continue
      const stored = JSON.parse(text) as { at: number }
      this.values.set(key, JSON.stringify({ ...stored, at: stored.at - seconds * 1000 }))
    }
  }
}
