/** `GET /auth/session/events`: a stream of the beginnings and ends of the subject's sessions (server-sent events). */
import { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Milliseconds } from '../../src/clock.js'
import { toSeconds } from '../../src/clock.js'
import { PortcullisError, rateLimited } from '../../src/errors.js'
import type { ErrorCode } from '../../src/errors.js'
import type { Core } from '../../src/app/core.js'
import { describeDevice } from '../../src/pages/device.js'
import { chooseLanguage } from '../../src/pages/language.js'
import { translator } from '../../src/pages/page-texts.js'
import type { Actor, SessionChange } from '../../src/session-changes.js'
import type { OwnGuard } from '../guards.js'
import { readClientInfo } from './origin.js'

/** Maximum number of open streams per session. A browser opens one per tab. */
const MAX_STREAMS = 20
/** The time between two comments, with which proxies keep the connection open. */
const HEARTBEAT: Milliseconds = 20_000
/** The time for which a stream waits for the reason of its session's end. The event may come after the end itself. */
const REASON_PATIENCE: Milliseconds = 300

export function sessionEventsRoute(app: FastifyInstance, core: Core, own: OwnGuard): void {
  const streams = new Map<string, Set<PassThrough>>()
  let isClosing = false
  const closeAll = () => {
    isClosing = true
    for (const stream of [...streams.values()].flatMap((set) => [...set])) stream.end()
  }
  // An open stream would delay the end of the server. In the gateway, `stopping` comes before `preClose`.
  core.stopping.addEventListener('abort', closeAll)
  app.addHook('preClose', async () => closeAll())

  app.get('/session/events', { onRequest: own.authenticate }, async (request, reply) => {
    const auth = own.authOf(request)
    const { sub, sid } = auth
    const ofSession = streams.get(sid) ?? new Set()
    if (ofSession.size >= MAX_STREAMS) throw rateLimited(10)
    if (isClosing) throw new PortcullisError('overloaded', { detail: 'The server stops. Try again.' })
    const stream = new PassThrough()
    streams.set(sid, ofSession.add(stream))
    const format = createFormat(request)
    let isReleased = false
    const finish = (change: EndChange) => {
      if (isReleased) return
      release()
      stream.end(format(change))
    }
    const stopListening = core.changes.listen(sub, (change) => {
      if (change.kind === 'ended' && change.sid === sid) finish(change)
      else stream.write(format(change))
    })
    const stopWatching = core.live.watch({
      auth,
      onOutage: core.settings.revocation.onOutage,
      end: (code) => {
        if (code === 'store_unavailable') return void stream.end()
        // The client can exchange its token at once, so that it misses as little as possible.
        if (code === 'token_expired') return void stream.end(formatEvent('token_expired', {}))
        const reason = code === 'signed_in_elsewhere' ? 'evicted' : null
        setTimeout(() => {
          if (ENDS.has(code)) finish({ kind: 'ended', sid, reason, by: undefined })
          // The session may go on with another token, so only the client can find out.
          else stream.end()
        }, REASON_PATIENCE).unref()
      },
    })
    const heartbeat = setInterval(() => stream.write(':\n\n'), HEARTBEAT).unref()
    function release(): void {
      if (isReleased) return
      isReleased = true
      clearInterval(heartbeat)
      stopListening()
      stopWatching()
      ofSession.delete(stream)
      if (ofSession.size === 0) streams.delete(sid)
    }
    stream.once('close', release)
    stream.write('retry: 2000\n\n')
    return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(stream)
  })
}

/** Errors after which the session itself has ended, and not only the token. */
const ENDS: ReadonlySet<ErrorCode> = new Set(['session_ended', 'signed_in_elsewhere'])

/** An end whose reason may be unknown, because another instance has ended the session. */
type EndChange = Omit<Extract<SessionChange, { kind: 'ended' }>, 'reason'> & {
  readonly reason: Extract<SessionChange, { kind: 'ended' }>['reason'] | null
}

/** Returns a function that formats changes as events, with devices in the language of the request. */
function createFormat({ query, headers }: FastifyRequest): (change: SessionChange | EndChange) => string {
  const { lang } = query as { lang?: unknown }
  const t = translator(chooseLanguage(lang, headers['accept-language']))
  const device = (userAgent: string | undefined) =>
    describeDevice({ device: null, userAgent: userAgent ?? null }, t)
  return (change) => {
    if (change.kind === 'started') return formatEvent('session_started', { sid: change.sid })
    const { sid, reason, by } = change
    const actor = by && { sid: by.sid ?? sid, device: device(by.userAgent), at: by.at }
    return formatEvent('session_ended', { sid, reason, by: actor ?? null })
  }
}

function formatEvent(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/**
 * Runs the work of a request that ends sessions, so that their streams name its device.
 *
 * @param sid The session of the client. `undefined` if it ends its own.
 */
export function attributeTo<T>(
  { changes }: Pick<Core, 'changes'>,
  request: FastifyRequest,
  sid: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const { userAgent } = readClientInfo(request)
  const actor: Actor = { sid, userAgent, at: toSeconds(Date.now()) }
  return changes.attribute(request.id, actor, work)
}
