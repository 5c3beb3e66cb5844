/** An issuer's JWK Set over HTTP, whose responses a test chooses. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SigningKey } from '../../src/token/signing-key.js'
import type { Scope } from './scope.js'

export interface JwksServer {
  readonly url: string
  /** The number of requests so far. */
  readonly requests: number
  /** Publishes these keys from now on. */
  publish(keys: readonly unknown[]): void
  /** Responds in another way from now on. */
  respond(handler: (request: IncomingMessage, response: ServerResponse) => void): void
}

/** Returns a key as the JWKS endpoint publishes it. */
export const published = ({ publicJwk }: SigningKey): unknown => publicJwk

export async function startJwksServer(t: Scope, keys: readonly unknown[] = []): Promise<JwksServer> {
  let requests = 0
  const send = (set: readonly unknown[]) => (_: IncomingMessage, response: ServerResponse) =>
    void response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: set }))
  let current: Parameters<JwksServer['respond']>[0] = send(keys)
  const server = createServer((request, response) => {
    requests += 1
    current(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    get requests() {
      return requests
    },
    publish: (next) => void (current = send(next)),
    respond: (handler) => void (current = handler),
  }
}
