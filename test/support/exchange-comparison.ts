/**
 * Compares three HTTP clients by generated exchanges: ours, undici's and Node's. The upstream sends some responses late,
 * early, twice or not at all.
 */
import { Random } from '../simulation/random.js'
import { connectNode, connectOurs, connectUndici } from './exchange-clients.js'
import type { ConnectClient, Result } from './exchange-clients.js'
import { generateExchanges } from './generated-exchanges.js'
import type { GeneratedExchange } from './generated-exchanges.js'
import { turns, VirtualUpstream } from './virtual-upstream.js'

/** Exchanges that follow each other on one client. */
const CONVERSATION = 8
/** Conversations at the same time. */
const PARALLEL = 25
/** Turns of the event loop after which a conversation without an end has failed. */
const MAX_TURNS = 2000
const HUNG = 'no result'

export interface Tally {
  delivered: number
  failed: number
  /** Requests that got anything of another response. */
  misdelivered: number
  connections: number
  mistakes: number
}

/** Returns true if all of the result belongs to the exchange. */
function isOwn({ id, mistake }: GeneratedExchange, result: Result): boolean {
  if ('error' in result) return true
  const { ids, body } = result
  const isWhole = body === '' || (body.startsWith(`${id}:`) && /^r\d+:y*$/.test(body))
  // An incomplete response that ends with the connection looks complete.
  const isCut = mistake === 'missing' && `${id}:`.startsWith(body)
  return ids.every((seen) => seen === id) && (isWhole || isCut)
}

/** Waits for the results. A client that has lost its place may wait forever, as Node's does. */
async function settle(results: readonly Promise<Result>[]): Promise<Result[]> {
  let left = MAX_TURNS
  const all = Promise.all(results).then(() => (left = 0))
  const limit = async () => {
    for (; left > 0; left -= 1) await turns(1)
  }
  await Promise.race([all, limit()])
  const hung = Promise.resolve({ error: HUNG })
  return Promise.all(results.map((result) => Promise.race([result, hung])))
}

async function converse(connect: ConnectClient, exchanges: readonly GeneratedExchange[], tally: Tally) {
  const upstream = new VirtualUpstream(exchanges)
  const client = connect(upstream)
  const results: Promise<Result>[] = []
  for (const exchange of exchanges) {
    await turns(exchange.pause)
    results.push(client.send(exchange))
  }
  const settled = await settle(results)
  client.close()
  for (const [at, result] of settled.entries()) {
    if (!isOwn(exchanges[at]!, result)) tally.misdelivered += 1
    else if ('error' in result) tally.failed += 1
    else tally.delivered += 1
  }
  tally.connections += upstream.connections
  tally.mistakes += upstream.mistakes
  return settled
}

export interface Comparison {
  /** What is wrong with our client, at most a few. */
  readonly faults: readonly unknown[]
  readonly ours: Tally
  readonly undici: Tally
  readonly node: Tally
}

const newTally = (): Tally => ({ delivered: 0, failed: 0, misdelivered: 0, connections: 0, mistakes: 0 })

/** Runs about this number of exchanges on each client. Stops early if our client fails. */
export async function compareClients(count: number, seed: number): Promise<Comparison> {
  const random = new Random(seed)
  const comparison = { faults: [] as unknown[], ours: newTally(), undici: newTally(), node: newTally() }
  const { faults } = comparison
  let begun = 0
  const worker = async () => {
    while (begun < count && faults.length === 0) {
      const exchanges = generateExchanges(random, begun, CONVERSATION)
      begun += CONVERSATION
      const ours = await converse(connectOurs, exchanges, comparison.ours)
      const undici = await converse(connectUndici, exchanges, comparison.undici)
      const node = await converse(connectNode, exchanges, comparison.node)
      for (const [at, exchange] of exchanges.entries()) {
        const why = judge(exchange, ours[at]!, [undici[at]!, node[at]!])
        if (why !== undefined) faults.push({ why, id: exchange.id, result: ours[at], exchanges })
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return comparison
}

/** Returns what is wrong with the result of our client, or `undefined`. */
function judge(exchange: GeneratedExchange, result: Result, others: readonly Result[]): string | undefined {
  if (!isOwn(exchange, result)) return 'It belongs to another exchange.'
  if ('error' in result && result.error === HUNG) return 'There is no result.'
  if ('error' in result) return exchange.mistake === 'missing' ? undefined : 'There was a response.'
  // If another client gives the request its own response, ours must give it the same one.
  const isSame = (other: Result) =>
    'error' in other || !isOwn(exchange, other) || JSON.stringify(other) === JSON.stringify(result)
  return others.every(isSame) ? undefined : 'Another client reads it differently.'
}
