/**
 * The load test: each peer in a process of its own, in turn, round robin, with the same load. What is compared is the CPU time
 * of the server process per request; times and requests per second are noise on a shared machine.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import autocannon from 'autocannon'
import type { Ready } from './server.js'

const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const SECONDS = Number(process.env['SECONDS'] ?? 3)
const CONNECTIONS = 20
const PEERS = [
  'bare Fastify route',
  'guarded, store: memory',
  'guarded, check: replica',
  'guarded, check: redis',
  'proxied, check: replica (+ upstream)',
]

interface Peer extends Ready {
  readonly name: string
  readonly process: ChildProcess
  /** CPU microseconds per request, one a round. */
  readonly cpu: number[]
  readonly p50: number[]
}

async function start(name: string): Promise<Peer> {
  const child = fork(new URL('server.js', import.meta.url), [name])
  const [ready] = (await once(child, 'message')) as [Ready]
  return { ...ready, name, process: child, cpu: [], p50: [] }
}

/** Good tokens pass and, where there is a guard, missing and forged ones don't: else the figures mean nothing. */
async function check({ name, url, token }: Peer): Promise<void> {
  const status = async (authorization?: string) =>
    (await fetch(url, { headers: authorization === undefined ? {} : { authorization } })).status
  const seen = [
    await status(`Bearer ${token}`),
    await status(),
    await status(`Bearer ${token.slice(0, -4)}AAAA`),
  ]
  const wanted = token === '' ? [200, 200, 200] : [200, 401, 401]
  if (seen.join() !== wanted.join())
    throw new Error(`${name}: answered ${seen.join()} instead of ${wanted.join()}`)
}

async function cpuOf(peer: Peer): Promise<number> {
  peer.process.send('cpu')
  const [{ user, system }] = (await once(peer.process, 'message')) as [NodeJS.CpuUsage]
  return user + system
}

async function load(peer: Peer, seconds: number): Promise<{ perRequest: number; p50: number }> {
  const before = await cpuOf(peer)
  const result = await autocannon({
    url: peer.url,
    connections: CONNECTIONS,
    duration: seconds,
    headers: peer.token === '' ? {} : { authorization: `Bearer ${peer.token}` },
  })
  const { errors, non2xx, requests } = result
  if (errors + non2xx > 0) throw new Error(`${peer.name}: ${errors} errors, ${non2xx} answers other than 2xx`)
  return { perRequest: ((await cpuOf(peer)) - before) / requests.total, p50: result.latency.p50 }
}

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const peers: Peer[] = []
for (const name of PEERS) peers.push(await start(name))
try {
  for (const peer of peers) {
    await check(peer)
    await load(peer, 1) // warm
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const peer of peers) {
      const { perRequest, p50 } = await load(peer, SECONDS)
      peer.cpu.push(perRequest)
      peer.p50.push(p50)
    }
  }
  const base = median(peers[0]!.cpu)
  console.log(`CPU time of the server process, ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections`)
  console.table(
    peers.map(({ name, cpu, p50 }) => ({
      peer: name,
      'µs CPU/request': Math.round(median(cpu)),
      spread: `${Math.round(Math.min(...cpu))}–${Math.round(Math.max(...cpu))}`,
      'to bare': Number((median(cpu) / base).toFixed(2)),
      'p50 ms': median(p50),
    })),
  )
} finally {
  for (const peer of peers) peer.process.disconnect()
}
