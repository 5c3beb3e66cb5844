/** Gateways are restarted one after the other, while clients keep their connections: no request fails. */
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import t from 'tap'
import type { GatewayProcess } from '../support/gateway-process.js'
import { call, home, serveGateway, soon, startUpstream } from '../support/gateway-process.js'
import { freePort } from '../support/redis.js'

/** The gateway on a port, as a load balancer sees it. */
interface Backend {
  readonly port: number
  /** Its health check says so. */
  isReady: boolean
  answered: number
  /** Responses that have closed their connection. */
  closed: number
}

/** A client with a connection to each backend, which it keeps as long as that does. One request at a time. */
class Client {
  readonly failures: string[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #backends: readonly Backend[]
  #isRunning = true
  readonly #done: Promise<void>

  constructor(backends: readonly Backend[]) {
    this.#backends = backends
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await this.#done
    this.#agent.destroy()
  }

  async #run(): Promise<void> {
    let nth = 0
    while (this.#isRunning) {
      nth += 1
      const ready = this.#backends.filter(({ isReady }) => isReady)
      await this.#ask(ready[nth % ready.length]!, nth % 4 === 0 ? 'POST' : 'GET')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async #ask(backend: Backend, method: string): Promise<void> {
    try {
      const outgoing = request({ host: '127.0.0.1', port: backend.port, method, agent: this.#agent })
      outgoing.end(method === 'POST' ? 'a body' : undefined)
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
      const body = await text(answer)
      backend.answered += 1
      if (answer.headers.connection === 'close') backend.closed += 1
      if (answer.statusCode !== 200 || body !== 'from the upstream') {
        this.failures.push(`${method}: ${answer.statusCode} ${body}`)
      }
    } catch (error) {
      this.failures.push(`${method}: ${(error as Error).message}`)
    }
  }
}

t.test('two restarts, with a drain until the balancer has noticed', async (t) => {
  const directory = await home(t)
  const upstream = await startUpstream(t)
  const start = ({ port }: Backend) =>
    serveGateway(
      t,
      {
        listen: { host: '127.0.0.1', port },
        timeouts: { drain: '10m' },
        routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
      },
      directory,
    )
  const backends: Backend[] = []
  const gateways: GatewayProcess[] = []
  for (let nth = 0; nth < 2; nth += 1) {
    const backend = { port: await freePort(), isReady: true, answered: 0, closed: 0 }
    backends.push(backend)
    gateways.push(await start(backend))
  }
  const clients = Array.from({ length: 4 }, () => new Client(backends))
  for (const [at, backend] of backends.entries()) {
    await soon('it has answered some', () => backend.answered > 8)
    const stopped = gateways[at]!.stop('SIGTERM')
    // Each client has had a response that closes, and has come again.
    await soon('it drains under load', () => backend.closed > 8)
    const { status } = await call(gateways[at]!.url, 'GET', '/readyz')
    t.equal(status, 503)
    backend.isReady = false
    const { answered } = backend
    await soon('the other one has all of the load', () => backends[1 - at]!.answered > answered + 8)
    // The drain has lasted long enough.
    void gateways[at]!.stop('SIGTERM')
    t.equal(await stopped, 0)
    gateways[at] = await start(backend)
    backend.answered = 0
    backend.isReady = true
    await soon('it is back', () => backend.answered > 8)
  }
  for (const client of clients) {
    await client.stop()
    t.strictSame(client.failures, [])
  }
})
