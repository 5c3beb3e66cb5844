/**
 * Measures a rolling restart under load. Three gateways are restarted one after another. They are behind HAProxy and
 * nginx with the configurations of `examples/`, or have clients with kept connections. Run it with
 * `npm run bench -- rolling-restart` (RESTARTS=30, RATE=100, FRONTS=haproxy,nginx or direct, DRAIN=5s). The exit code is
 * 1 if a request failed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { call, home, logIn, serveGateway, soon, startUpstream } from '../test/support/gateway-process.js'
import type { GatewayProcess } from '../test/support/gateway-process.js'
import { freePort, startRedis } from '../test/support/redis.js'
import { startHaproxy, startNginx } from './fronts.js'
import { KeptClients, SteadyLoad } from './steady-load.js'

const RESTARTS = Number(process.env['RESTARTS'] ?? 30)
const RATE = Number(process.env['RATE'] ?? 100)
const FRONTS = (process.env['FRONTS'] ?? 'haproxy,nginx').split(',')
const DRAIN = process.env['DRAIN'] ?? (FRONTS.includes('direct') ? '0s' : '5s')
/** The pause after a gateway is ready and before the next one stops. It is longer than nginx's `fail_timeout`. */
const PAUSE_MILLISECONDS = FRONTS.includes('nginx') ? 7_000 : 1_000

const ends: (() => void | Promise<void>)[] = []
const scope = { teardown: (one: () => void | Promise<void>) => ends.unshift(one) }

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await end()
    process.exit(1)
  })
}
try {
  await run()
} finally {
  await end()
}

async function end(): Promise<void> {
  for (const one of ends.splice(0)) await one()
}

async function run(): Promise<void> {
  const redis = await startRedis(scope)
  const upstream = await startUpstream(scope)
  const directory = await home(scope)
  const ports = [await freePort(), await freePort(), await freePort()]
  const settings = (port: number) => ({
    store: redis.url,
    listen: { host: '127.0.0.1', port },
    timeouts: { drain: DRAIN },
    routes: [{ path: '/', upstream: upstream.url }],
  })
  const start = async (port: number) => {
    const gateway = await serveGateway(scope, settings(port), directory)
    await soon('the gateway is ready', () => isReady(gateway))
    return gateway
  }
  const gateways: GatewayProcess[] = []
  for (const port of ports) gateways.push(await start(port))
  const { access_token: token } = await logIn(gateways[0]!.url)

  const loads = await Promise.all(
    FRONTS.map(async (front) => {
      if (front === 'direct') return new KeptClients({ ports, token, rate: RATE })
      const url = await (front === 'nginx' ? startNginx : startHaproxy)(scope, ports)
      return new SteadyLoad({
        name: front,
        url,
        token,
        rate: RATE,
        dispatcher: new Agent({ connections: 32 }),
      })
    }),
  )
  for (const load of loads) load.start()
  await sleep(2_000)
  const stops: number[] = []
  for (let nth = 0; nth < RESTARTS; nth += 1) {
    const at = nth % gateways.length
    const begin = performance.now()
    const code = await gateways[at]!.stop('SIGTERM')
    stops.push(performance.now() - begin)
    gateways[at] = await start(ports[at]!)
    const summary = loads.map(({ name, sent, failures }) => `${name}: ${failures.length} of ${sent} failed`)
    console.log(`restart ${nth + 1}: exit code ${code}, ${summary.join('; ')}`)
    if (code !== 0) process.exitCode = 1
    await sleep(PAUSE_MILLISECONDS)
  }
  for (const load of loads) await load.stop()
  console.log(
    `\n${RESTARTS} restarts, drain ${DRAIN}; a stop took at most ${Math.round(Math.max(...stops))} ms`,
  )
  for (const { name, sent, failures } of loads) {
    console.log(`${name}: ${sent} requests, ${failures.length} failed`)
    for (const [kind, count] of countByKind(failures)) console.log(`  ${count} × ${kind}`)
    if (failures.length > 0 || sent === 0) process.exitCode = 1
  }
}

async function isReady({ url }: GatewayProcess): Promise<boolean> {
  return (await call(url, 'GET', '/readyz', { headers: { connection: 'close' } })).status === 200
}

/** Counts failures by their error code, because the `request_id` in a body is always different. */
function countByKind(failures: readonly string[]): Map<string, number> {
  const kinds = new Map<string, number>()
  for (const failure of failures) {
    const code = /"code":"(\w+)"/.exec(failure)?.[1]
    const kind = code === undefined ? failure : `${failure.split('{', 1)[0]}${code}`
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  return kinds
}
