/** What a test may expect of moved time, with each store. */
import fastify from 'fastify'
import type { Test } from 'tap'
import { authenticate, portcullis } from '../../src/index.js'
import { home, sharedSettings } from './gateway-process.js'
import { DAY, MINUTE, moveTime, untilReady } from './moved-time.js'

async function openApp(t: Test, store: string) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), store })
  app.get('/guarded', { onRequest: authenticate }, async (request) => request.auth?.sid)
  await app.ready()
  const guarded = async (token: string) => {
    const { statusCode, body } = await app.inject({
      url: '/guarded',
      headers: { authorization: `Bearer ${token}` },
    })
    return statusCode === 200 ? statusCode : JSON.parse(body).code
  }
  return { app, gate: app.portcullis, guarded }
}

export function movedTimeContract(t: Test, store: () => Promise<string>, options: object = {}): void {
  t.test('tokens and sessions end by the moved time, and what was revoked stays so', options, async (t) => {
    const { app, gate, guarded } = await openApp(t, await store())
    const [kept, ended] = [await gate.issue({ sub: 'ada' }), await gate.issue({ sub: 'ada' })]
    await gate.revoke({ sid: ended.session_id })

    await moveTime(t, 14 * MINUTE)
    await untilReady(app)
    t.equal(await guarded(kept.access_token!), 200)
    t.equal(await guarded(ended.access_token!), 'session_ended')

    await moveTime(t, 1 * MINUTE)
    await untilReady(app)
    t.equal(await guarded(kept.access_token!), 'token_expired')
    const next = await gate.refresh(kept.refresh_token)
    t.equal(await guarded(next.access_token!), 200)
    await t.rejects(gate.refresh(ended.refresh_token), { code: 'session_ended' })

    await moveTime(t, 30 * DAY - 1 * MINUTE)
    await untilReady(app)
    const last = await gate.refresh(next.refresh_token)
    t.equal(await guarded(last.access_token!), 200, 'a session outlives a month')

    await moveTime(t, 30 * DAY)
    await untilReady(app)
    await t.rejects(gate.refresh(last.refresh_token), { code: 'refresh_token_expired' })
  })
}
