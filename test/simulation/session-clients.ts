import { refresh } from '../support/sessions.js'
/**
 * Clients that log in, refresh, log out and log out everywhere, by the real code of `src/session`, and what they are
 * promised.
 */
import type { Milliseconds } from '../../src/clock.js'
import { PortcullisError } from '../../src/errors.js'
import { exchangeCode } from '../../src/session/exchange-code.js'
import { endOwnSession } from '../../src/session/end-own-session.js'
import { tokenSet } from '../../src/session/issue.js'
import type { TokenSet } from '../../src/session/issue.js'
import { keepWithinLimits } from '../../src/session/session-limits.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import type { LogoutAllOptions } from '../../src/session/logout.js'
import type { SessionDependencies } from '../../src/session/dependencies.js'
import { RateBound } from '../../src/rate-bound.js'
import type { Sid } from '../../src/session/session.js'
import type { CodeUse } from '../../src/store/code-store.js'
import { hashSecret, parseRefreshToken } from '../../src/token/refresh-token.js'
import type { AccessClaims } from '../../src/token/access-token.js'
import { PROOF } from '../support/refresh-token-proof.js'
import type { Revocation, Token } from './checker.js'
import { SimulatedDenylist } from './denylist.js'
import type { Node } from './node.js'
import { SimulatedStore } from './session-store.js'
import { newSession, tombstoneLife } from './sessions.js'
import { WEAK_DENYLISTS, WEAK_STORES } from './weak-sessions.js'
import type { World } from './world.js'

const DAY: Milliseconds = 86_400_000

/** A session as its client knows it. */
export interface ClientSession {
  readonly sid: string
  readonly sub: string
  refreshToken: string
  isEnded: boolean
}

export class SessionClients {
  readonly #world: World
  /** Those whose logins have returned. */
  readonly sessions: ClientSession[] = []

  /** Sessions that exchanges of codes begin, from the use of the code on. */
  readonly #begun: { readonly sid: string; readonly startedBy: string }[] = []

  constructor(world: World) {
    this.#world = world
  }

  login(node: Node, sub: string, done: (session: ClientSession) => void = () => {}): void {
    const world = this.#world
    const { random } = world
    const refreshToken = parseRefreshToken(`${pad(random.id(), 22)}.${pad('', 22)}.${pad('', 43)}`, PROOF)!
    const { sid, family, secret } = refreshToken
    this.#run(
      node,
      async (ports) => {
        const { jtiPrefix, issuedAt } = await ports.denylist.stamp(sub)
        const now = ports.clock.now()
        const session = newSession({ sid, sub, jtiPrefix, at: now })
        const tokens = tokenSet(ports, session, { jtiPrefix, issuedAt }, refreshToken, now)
        await ports.store.create(session, { familyHash: hashSecret(family), secretHash: hashSecret(secret) })
        await keepWithinLimits(ports, session)
        return tokens
      },
      (tokens) => {
        const session = { sid, sub, refreshToken: tokens.refreshToken!, isEnded: false }
        this.sessions.push(session)
        this.#minted(node, tokens)
        done(session)
      },
    )
  }

  refresh(node: Node, session: ClientSession): void {
    const beganAt = this.#world.t
    this.#run(
      node,
      (ports) => refresh(ports, session.refreshToken),
      (tokens) => {
        const { checker } = this.#world
        checker.counts.refreshed += 1
        session.refreshToken = tokens.refreshToken!
        checker.refreshed(session.sid, beganAt)
        this.#minted(node, tokens)
      },
    )
  }

  /** Exchanges a one-time code of a session. The use of the code itself isn't simulated. */
  exchange(node: Node, { sid: startedBy, sub }: ClientSession): void {
    const code = {
      life: DAY,
      access: this.#world.options.settings.horizon,
      refresh: DAY,
      store: {
        create: async () => {},
        use: async ({ sid }: CodeUse) => {
          this.#begun.push({ sid, startedBy })
          return { kind: 'used', issuer: startedBy as Sid, sub, clientId: undefined } as const
        },
      },
    }
    this.#run(
      node,
      (ports) => exchangeCode({ ...ports, codes: code }, { code: pad('', 43) }, {}),
      (tokens) => {
        this.sessions.push({
          sid: tokens.session.sid,
          sub,
          refreshToken: tokens.refreshToken!,
          isEnded: false,
        })
        this.#minted(node, tokens)
      },
    )
  }

  /** By the access token's `sid`, or from the list of one's sessions. */
  end(node: Node, { sid, sub }: ClientSession, { own = sid, onEnded = () => {} } = {}): void {
    const revocations: Revocation[] = []
    this.#run(
      node,
      (ports) =>
        own === sid
          ? logout(ports, { access: sid as Sid })
          : endOwnSession(ports, sub, sid as Sid, own as Sid),
      () => this.#ended([sid], `a logout at ${node.id}`, revocations),
      { revocations, onEnded },
    )
  }

  everywhere(
    node: Node,
    sub: string,
    { own, except }: { own?: string | undefined; except?: string | undefined } = {},
    onEnded = () => {},
  ): void {
    const covered = this.sessions.filter((session) => session.sub === sub && session.sid !== except)
    const revocations: Revocation[] = []
    const isNotOwn = this.#world.options.sessionsWithout === 'own'
    const options: LogoutAllOptions = { own: (isNotOwn ? undefined : own) as Sid, except: except as Sid }
    this.#world.note(() => `${node.id} is to end all of ${sub}'s but ${except ?? 'none'}`)
    this.#run(
      node,
      (ports) => logoutAll(ports, sub, options),
      () => {
        this.#world.checker.counts.everywhere += 1
        const sids: string[] = covered.map(({ sid }) => sid)
        for (const { sid, startedBy } of this.#begun) if (sids.includes(startedBy)) sids.push(sid)
        this.#ended(sids, `everywhere of ${sub} at ${node.id}`, revocations)
      },
      { revocations, onEnded },
    )
  }

  /** A call has returned success. What is promised nothing for is left out. */
  #ended(sids: readonly string[], by: string, revocations: readonly Revocation[]): void {
    const world = this.#world
    if (revocations.some(({ isExempt }) => isExempt)) return
    world.note(() => `success: ${by}: ${sids.join(', ')}`)
    world.checker.ended(sids, by, world.t)
    for (const session of this.sessions) if (sids.includes(session.sid)) session.isEnded = true
    const tokens = world.checker.tokens.filter(({ sid }) => sids.includes(sid)).slice(-5)
    for (const node of world.alive) if (!node.isPaused) for (const token of tokens) node.judge(token)
  }

  #minted(node: Node, { accessToken, session }: TokenSet): void {
    const world = this.#world
    const { jti, iat, exp } = JSON.parse(accessToken) as AccessClaims
    const { sid, sub } = session
    const token: Token = { jti: `${jti.slice(0, 8)}.${world.random.id()}`, sid, sub, kid: 'k1', iat, exp }
    world.note(() => `${node.id} gives ${token.jti} of ${sid} of ${sub}`)
    world.checker.minted(token)
  }

  /** Runs a call in the process of the instance. The response reaches its client as an event of its own. */
  #run<T>(
    node: Node,
    call: (ports: SessionDependencies) => Promise<T>,
    done: (result: T) => void,
    hooks: { revocations?: Revocation[]; onEnded?: () => void } = {},
  ): void {
    const world = this.#world
    node.local(() => {
      if (!node.isServing) return
      world.stir()
      call(portsOf(node, hooks)).then(
        (result) => world.after(0, () => done(result)),
        (error: unknown) => {
          if (!(error instanceof PortcullisError)) {
            world.after(0, () => {
              throw error
            })
            return
          }
          if (hooks.revocations) world.checker.counts.failedEnds += 1
          world.note(() => `${node.id} responds ${error.code}`)
        },
      )
    })
  }
}

function portsOf(
  node: Node,
  { revocations, onEnded }: { revocations?: Revocation[]; onEnded?: () => void },
): SessionDependencies {
  const { settings, sessionsWithout: rule } = node.world.options
  const Store = (rule && WEAK_STORES[rule]) ?? SimulatedStore
  const Denylist = (rule && WEAK_DENYLISTS[rule]) ?? SimulatedDenylist
  return {
    store: new Store(node, onEnded),
    denylist: new Denylist(node, (revocation) => revocations?.push(revocation)),
    sign: (claims) => JSON.stringify(claims),
    proof: PROOF,
    isFull: () => false,
    bounds: { unproven: new RateBound(Infinity), unknown: new RateBound(Infinity) },
    clock: { now: () => Math.floor(node.now.wall) },
    settings: {
      issuer: '',
      audience: '',
      scheme: 'dual',
      jitter: 0,
      access: settings.horizon,
      refresh: DAY,
      absolute: DAY,
      refreshLimit: 0,
      reuseGrace: 10_000,
      tombstone: tombstoneLife(settings),
      perSubject: 4,
      perDevice: 0,
      onLimit: 'evict-oldest',
    },
    emit: () => {},
  }
}

function pad(text: string, length: number): string {
  return text.padEnd(length, '0')
}
