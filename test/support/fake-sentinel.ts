import { once } from 'node:events'
import { array, startFakeRedis } from './fake-redis.js'
import type { FakeRedis, Peer } from './fake-redis.js'
import type { Scope } from './scope.js'

export interface FakeSentinel extends FakeRedis {
  /** Clients that listen for failovers. */
  listeners(): number
  /**
   * Announces a failover while the next question for the primary is waiting for its reply, and replies only when the
   * client has acted on it. Resolves then.
   */
  announceWhileAsked(): Promise<void>
}

/** A Sentinel that knows one primary, under any name, on this port of 127.0.0.1. */
export async function startFakeSentinel(t: Scope, primaryPort: number): Promise<FakeSentinel> {
  const listeners = new Set<Peer>()
  const address = array('127.0.0.1', String(primaryPort))
  let onQuestion: (() => Promise<string>) | undefined
  const fake = await startFakeRedis(t, ([name, what = ''], peer) => {
    if (name === 'SUBSCRIBE') {
      listeners.add(peer)
      peer.socket.once('close', () => listeners.delete(peer))
      return `*3\r\n$9\r\nsubscribe\r\n$${what.length}\r\n${what}\r\n:1\r\n`
    }
    if (name !== 'SENTINEL') return '-ERR unknown command\r\n'
    if (what !== 'get-master-addr-by-name') return '*0\r\n'
    if (!onQuestion) return address
    const reply = onQuestion()
    onQuestion = undefined
    return reply
  })
  return {
    ...fake,
    listeners: () => listeners.size,
    announceWhileAsked: () =>
      new Promise((resolve, reject) => {
        onQuestion = () => {
          if (listeners.size === 0) reject(new Error('nobody listens for failovers'))
          // The client closes these connections when it has heard.
          const heard = Promise.all([...listeners].map((one) => once(one.socket, 'close')))
          for (const one of listeners) one.send(array('message', '+switch-master', 'main …'))
          // oxlint-disable-next-line promise/no-multiple-resolved
          resolve(heard.then(() => undefined))
          return heard.then(() => address)
        }
      }),
  }
}
