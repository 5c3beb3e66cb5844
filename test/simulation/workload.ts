/**
 * What clients do: they log in, refresh, send requests, and log out; and what must hold of the tokens they are given.
 */
import { EVICTED } from '../../src/revocation/entry.js'
import type { EntryKind } from '../../src/revocation/entry.js'
import type { Revocation, Token } from './checker.js'
import type { Node } from './node.js'
import type { Session } from '../../src/session/session.js'
import { createRecord, newSession, readRecord, touchRecord } from './sessions.js'
import type { World } from './world.js'
import { entryGrace } from '../../src/revocation/replica/revocation-log.js'

const SUBJECTS = ['anna', 'ben', 'cleo'] as const

export class Workload {
  readonly #world: World
  readonly #sids: string[] = []
  #kid = 1

  constructor(world: World) {
    this.#world = world
  }

  /** A login, or a refresh of a session that exists: `iat` and jti prefix are taken before the session is read. */
  mint(node: Node, sid?: string): void {
    const world = this.#world
    const { random } = world
    if (!node.isAlive || node.isPaused || !node.isLeased) return
    const { wall } = node.now
    const { jtiPrefix } = node.instance
    const iat = Math.floor(wall / 1000)
    const lives = Math.floor(world.options.settings.horizon / 1000)
    const exp = iat + (random.chance(0.7) ? lives : 1 + random.below(lives))
    const kid = `k${this.#kid}`
    const issue = (session: Session) => {
      const token: Token = {
        jti: `${jtiPrefix}.${random.id()}`,
        sid: session.sid,
        sub: session.sub,
        kid,
        iat,
        exp,
      }
      if (node.instance.decideFromReplica(token).kind !== 'admitted') return
      world.note(() => `${node.id} mints ${token.jti} for ${token.sid} of ${token.sub}, iat ${iat}`)
      world.checker.minted(token)
    }
    if (sid !== undefined) return this.#refresh(node, sid, { jtiPrefix, at: wall }, issue)
    const session = newSession({ sid: `s${random.id()}`, sub: random.pick(SUBJECTS), jtiPrefix, at: wall })
    const create = (server: Node['server']) => server.onSessions(createRecord(session), world.t)
    world.send(node, create, (isCreated) => {
      if (!isCreated) return
      this.#sids.push(session.sid)
      issue(session)
    })
  }

  #refresh(
    node: Node,
    sid: string,
    stamp: { jtiPrefix: string; at: number },
    issue: (session: Session) => void,
  ): void {
    const world = this.#world
    world.send(
      node,
      (server) => readRecord(server.data.sessions, sid, server.time(world.t)),
      (record) => {
        const { onLostHistory } = world.options
        if (record?.kind !== 'living') return
        const { session } = record
        if (onLostHistory === 'reject' && !node.instance.remembers(session.jtiPrefix, session.lastSeenAt))
          return
        issue(session)
        world.send(
          node,
          (server) => server.onSessions(touchRecord(sid, stamp), world.t),
          () => {},
        )
      },
    )
  }

  /** One of the sessions of late. */
  refresh(node: Node): void {
    const sid = this.#world.random.pick(this.#sids.slice(-10))
    if (sid !== undefined) this.mint(node, sid)
  }

  request(node: Node): void {
    const { random, checker } = this.#world
    const { tokens, condemned } = checker
    const list = random.chance(0.1) ? condemned : tokens
    const token = list[list.length - 1 - random.below(Math.min(list.length, 30))]
    if (token) node.request(token)
  }

  revoke(node: Node): Revocation | undefined {
    const { random, checker, options } = this.#world
    const token = random.pick(checker.tokens.slice(-15))
    if (!token || !node.isAlive || node.isPaused || node.instance.epoch === '') return undefined
    const forever = { before: 0, until: undefined, reason: '' }
    const kind = this.#kind()
    if (kind === 'jti') {
      const until = token.exp * 1000 + entryGrace(options.settings)
      return node.revoke([{ ...forever, kind, id: token.jti, until }])
    }
    if (kind === 'sub') return node.revoke([{ ...forever, kind, id: token.sub, before: 'now' }])
    if (kind === 'all') return node.revoke([{ ...forever, kind, id: '*', before: 'now' }])
    if (kind === 'kid') {
      this.#kid += 1
      return node.revoke([{ ...forever, kind, id: token.kid }])
    }
    // Everywhere: all sessions of the subject, in one call.
    const same = random.chance(0.3) ? checker.tokens.filter(({ sub }) => sub === token.sub) : [token]
    const sids = [...new Set(same.map(({ sid }) => sid))].slice(-4)
    const before = random.chance(0.5) ? EVICTED : 0
    return node.revoke(sids.map((id) => ({ ...forever, kind: 'sid', id, before })))
  }

  #kind(): EntryKind {
    const x = this.#world.random.next()
    if (x < 0.48) return 'sid'
    if (x < 0.88) return 'jti'
    if (x < 0.96) return 'sub'
    return x < 0.975 ? 'all' : 'kid'
  }

  /** Every so many milliseconds, on some instance, one of these, until the time is over. */
  run(until: number, { every = 12, revokes = 0.03 } = {}): void {
    const world = this.#world
    const { random } = world
    if (world.t >= until) return
    const node = random.pick(world.alive)
    if (node && world.t >= world.asleepUntil) {
      const x = random.next()
      if (x < revokes) this.revoke(node)
      else if (x < revokes + 0.1) this.mint(node)
      else if (x < revokes + 0.2) this.refresh(node)
      // Of what comes to a paused instance most is given up by its clients.
      else if (!node.isPaused || random.chance(0.1)) this.request(node)
    }
    world.after(random.between(0, 2 * every), () => this.run(until, { every, revokes }))
  }
}
