import { storeUnavailable } from '../../src/errors.js'
import type { UnixMs } from '../../src/clock.js'
import type { Session, Sid } from '../../src/session/session.js'
import { mustIndexAgain } from '../../src/store/session-store.js'
import type {
  EndOutcome,
  EndRequest,
  IndexedSession,
  RotationRequest,
  RotationOutcome,
  SessionSecrets,
  SessionStore,
} from '../../src/store/session-store.js'
import type { Node } from './node.js'
import type { Server } from './server.js'
import {
  createRecord,
  endRecord,
  enterIndex,
  leaveIndex,
  listIndex,
  readRecord,
  rotateRecord,
} from './sessions.js'
import type { SessionScript } from './sessions.js'

/** The store as one instance reaches it: each command takes its way through the network, in the order of the real one. */
export class SimulatedStore implements SessionStore {
  readonly #node: Node
  /** Called on the server when a record has ended, so that a schedule can stop the end there. */
  readonly #onEnded: () => void

  constructor(node: Node, onEnded: () => void = () => {}) {
    this.#node = node
    this.#onEnded = onEnded
  }

  async create(session: Session, secrets: SessionSecrets): Promise<void> {
    await this.run(enterIndex(session))
    if (!(await this.run(createRecord(session, secrets)))) throw storeUnavailable('there is a record already')
  }

  read(sid: Sid): Promise<Session | undefined> {
    return this.run((data, time) => {
      const record = readRecord(data, sid, time)
      return [data, record?.kind === 'living' ? record.session : undefined]
    })
  }

  readCurrent(sid: Sid, { familyHash, secretHash }: SessionSecrets): Promise<Session | undefined> {
    return this.run((data, time) => {
      const record = readRecord(data, sid, time)
      const isCurrent =
        record?.kind === 'living' && record.familyHash === familyHash && record.currentHash === secretHash
      return [data, isCurrent ? record.session : undefined]
    })
  }

  async rotate(rotation: RotationRequest): Promise<RotationOutcome> {
    const outcome = await this.run(rotateRecord(rotation))
    if ('session' in outcome && this.mustIndexAgain(outcome, rotation))
      await this.run(enterIndex(outcome.session))
    return outcome
  }

  end(ending: EndRequest): Promise<EndOutcome> {
    return this.run((data, time) => {
      const result = this.endScript(ending)(data, time)
      this.#onEnded()
      return result
    })
  }

  protected endScript(ending: EndRequest): SessionScript<EndOutcome> {
    return endRecord(ending)
  }

  async count(sub: string): Promise<number> {
    return (await this.sids(sub)).length
  }

  sids(sub: string): Promise<Sid[]> {
    return this.run((data) => [data, [...(data.index.get(sub)?.keys() ?? [])] as Sid[]])
  }

  indexed(sub: string, _: UnixMs, count: number): Promise<IndexedSession[]> {
    return this.run((data, time) => [data, listIndex(data, sub, time).slice(0, count)])
  }

  async unindex(sub: string, sids: readonly Sid[]): Promise<void> {
    await this.run(leaveIndex(sub, sids))
  }

  /** Isn't simulated: no schedule revokes the tokens of everybody through `src/session`. */
  recordRevokedToken(): Promise<never> {
    throw new Error('the single scheme is not simulated')
  }

  isRecordedAsRevoked(): Promise<never> {
    throw new Error('the single scheme is not simulated')
  }

  setCutoff(): Promise<never> {
    throw new Error('not simulated')
  }

  async cutoff(): Promise<undefined> {
    return undefined
  }

  protected mustIndexAgain(...args: Parameters<typeof mustIndexAgain>): boolean {
    return mustIndexAgain(...args)
  }

  protected run<T>(script: SessionScript<T>): Promise<T> {
    const { world } = this.#node
    return new Promise((resolve, reject) => {
      this.#node.ask(
        (server: Server) => ({ reply: server.onSessions(script, world.t) }),
        (done) => {
          world.stir()
          if (done) resolve(done.reply)
          else reject(storeUnavailable('the simulated server did not respond'))
        },
      )
    })
  }
}
