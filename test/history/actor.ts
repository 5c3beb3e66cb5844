/** What a client can do; each call is recorded with its times, and what it brought is written into the book. */
import { createHash } from 'node:crypto'
import type { Dispatcher } from 'undici'
import { claimsOf } from '../support/gateway-process.js'
import { ADMIN } from '../support/gateway-instances.js'
import type { Book, Held, HeldSession } from './book.js'
import type { AccessToken, Draft, Operation, Scope } from './history.js'
import { succeeded } from './history.js'
import { send } from './send.js'
import type { Call, Reply } from './send.js'

export const PASSWORD = 'gate-keeper-1843'
/** The route whose success ends all sessions of the caller. */
export const PASSWORD_PATH = '/password'

export interface Addresses {
  readonly url: string
  readonly adminUrl: string
}

export interface Stage {
  readonly gateways: readonly Addresses[]
  readonly operations: Operation[]
  readonly book: Book
  readonly dispatcher: Dispatcher
}

type Request = Omit<Call, 'url'> & { readonly path: string; readonly isAdmin?: boolean }

export class Actor {
  readonly #name: string
  readonly #stage: Stage

  constructor(name: string, stage: Stage) {
    this.#name = name
    this.#stage = stage
  }

  async login(instance: number, sub: string): Promise<HeldSession | undefined> {
    const json = { username: sub, password: PASSWORD }
    const { operation, body } = await this.#do(
      { name: 'login', instance },
      { method: 'POST', path: '/auth/login', json },
    )
    if (!succeeded(operation)) return undefined
    const access = heldOf(body)
    const session: HeldSession = {
      sid: access.claims.sid,
      sub,
      since: operation.completedAt,
      access: [access],
      refresh: [body.refresh_token as string],
      state: 'live',
    }
    this.#stage.book.add(session)
    return session
  }

  async guarded(instance: number, { token, claims }: Held): Promise<Operation> {
    const isProxied = this.#stage.operations.length % 2 === 0
    const [name, path] = isProxied ? ['proxied', '/things'] : ['me', '/auth/me']
    const { operation } = await this.#do({ name, instance, bearer: claims }, { method: 'GET', path, token })
    if (operation.status === 401) this.#stage.book.doubt(claims.sid)
    return operation
  }

  async refresh(
    instance: number,
    session: HeldSession,
    refresh_token: string,
    leaveAfter?: number,
  ): Promise<Operation> {
    const presented = { sid: session.sid, fingerprint: fingerprint(refresh_token) }
    const { operation, body } = await this.#do(
      { name: leaveAfter === undefined ? 'refresh' : 'refresh, leaving', instance, presented },
      { method: 'POST', path: '/auth/refresh', json: { refresh_token }, leaveAfter },
    )
    if (succeeded(operation)) {
      session.access.push(heldOf(body))
      if (!session.refresh.includes(body.refresh_token)) session.refresh.push(body.refresh_token)
    } else if (operation.code === 'refresh_token_reused') this.#stage.book.endSession(session.sid)
    else if (operation.status === 401) this.#stage.book.doubt(session.sid)
    return operation
  }

  logout(instance: number, { sid }: HeldSession, by: { access: Held } | { refresh: string }) {
    const isByAccess = 'access' in by
    const proof = isByAccess ? { token: by.access.token } : { json: { refresh_token: by.refresh } }
    const name = isByAccess ? 'logout by access' : 'logout by refresh'
    return this.#end(
      { name, instance, ends: { kind: 'sid', sid } },
      { method: 'POST', path: '/auth/logout', ...proof },
    )
  }

  delete(instance: number, { token, claims }: Held, sid: string) {
    const draft = { name: 'DELETE session', instance, bearer: claims, ends: { kind: 'sid', sid } as const }
    return this.#end(draft, { method: 'DELETE', path: `/auth/sessions/${sid}`, token })
  }

  everywhere(instance: number, { token, claims }: Held, keepsCaller: boolean) {
    const json = { all: true, ...(keepsCaller && { keepCurrent: true }) }
    const name = keepsCaller ? 'everywhere else' : 'everywhere'
    const draft = { name, instance, bearer: claims, ends: everywhere(claims, keepsCaller) }
    return this.#end(draft, { method: 'POST', path: '/auth/logout', token, json })
  }

  changePassword(instance: number, { token, claims }: Held) {
    const draft = { name: 'onSuccess', instance, bearer: claims, ends: everywhere(claims, false) }
    return this.#end(draft, { method: 'POST', path: PASSWORD_PATH, token, json: {} })
  }

  /** By the admin listener. */
  revoke(instance: number, scope: Scope) {
    const { kind, ...target } = scope
    const draft = { name: `revoke ${kind}${'before' in target ? ' before' : ''}`, instance, ends: scope }
    const json = kind === 'all' ? { ...target, all: true } : target
    const path = '/api/revocations'
    return this.#end(draft, { method: 'POST', path, isAdmin: true, token: ADMIN.token, json })
  }

  /** Gives the tokens that have ended, too. */
  async #end(draft: Omit<Draft, 'client'> & { ends: Scope }, request: Request) {
    const { operation } = await this.#do(draft, request)
    return { operation, ended: this.#stage.book.ended(operation, draft.ends) }
  }

  async #do(
    draft: Omit<Draft, 'client'>,
    { path, isAdmin = false, ...call }: Request,
  ): Promise<{ operation: Operation; body: Reply['body'] }> {
    const { gateways, dispatcher, operations } = this.#stage
    const { url, adminUrl } = gateways[draft.instance]!
    const invokedAt = performance.now()
    const { status, body } = await send(dispatcher, { ...call, url: `${isAdmin ? adminUrl : url}${path}` })
    const operation: Operation = {
      client: this.#name,
      ...draft,
      invokedAt,
      completedAt: performance.now(),
      status,
      ...(typeof body?.code === 'string' && { code: body.code as string }),
      ...(status === 200 &&
        body?.refresh_token !== undefined && {
          obtained: { access: heldOf(body).claims, refresh: fingerprint(body.refresh_token) },
        }),
    }
    operations.push(operation)
    return { operation, body }
  }
}

function heldOf(body: Reply['body']): Held {
  const token = body.access_token as string
  const { jti, sid, sub, iat, exp }: AccessToken = claimsOf(token)
  return { token, claims: { jti, sid, sub, iat, exp } }
}

const everywhere = ({ sub, sid }: AccessToken, keepsCaller: boolean): Scope => ({
  kind: 'everywhere',
  sub,
  caller: sid,
  keepsCaller,
})

const fingerprint = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, 16)
