/** A legacy API that takes logins, for tests: what it answers is the test's choice, what it was asked is kept. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { startGateway } from './gateway-process.js'
import type { Scope } from './scope.js'

export interface LegacyCall {
  readonly method: string
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type Behaviour = (response: ServerResponse, call: LegacyCall) => void

export interface LegacyApi {
  readonly url: string
  readonly calls: LegacyCall[]
  behave: Behaviour
  /** Closes every connection and listens no more. */
  stop(): void
}

export const answers =
  (status: number, body: unknown = '', headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  }

export async function startLegacyApi(t: Scope, behave: Behaviour): Promise<LegacyApi> {
  const api: LegacyApi = {
    url: '',
    calls: [],
    behave,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
  const server = createServer(async (incoming: IncomingMessage, response) => {
    const { method, url, headers } = incoming
    const call = { method: method!, target: url!, headers, body: await text(incoming) }
    api.calls.push(call)
    api.behave(response, call)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => api.stop())
  return Object.assign(api, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/legacy/login`,
  })
}

/** How the legacy API is asked, and its answer mapped. */
export const mapping = { subject: '/data/user/id', claims: { role: '/data/user/role', scope: '/data/scope' } }

/** A gateway whose logins the legacy API decides. */
export function gatewayFor(t: Scope, { url }: LegacyApi, http: object = {}, overrides: object = {}) {
  return startGateway(t, { login: { http: { url, ...mapping, ...http } }, ...overrides })
}
