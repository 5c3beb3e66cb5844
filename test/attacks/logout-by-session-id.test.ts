/** Somebody knows a session id, from a log or an identity header, but has no token of the session. */
import t from 'tap'
import { issue } from '../../src/session/issue.js'
import { refresh } from '../../src/session/refresh.js'
import { openCodeApp } from '../support/code-app.js'
import { embedded, judged, outcomeOf } from '../support/sessions.js'

t.test('in the single scheme, a session id alone ends no session', async (t) => {
  const app = await openCodeApp(t, { tokens: { scheme: 'single' } })
  const { access_token, session_id } = await app.logIn()
  const invented = `${session_id}.${session_id}.${'A'.repeat(43)}`
  for (const refresh_token of [invented, `${invented}.${'A'.repeat(22)}`]) {
    const logout = await app.send('/auth/logout', { payload: { refresh_token } })
    t.match(logout, { status: 401, body: { code: 'refresh_token_invalid' } })
    t.equal((await app.me(access_token)).status, 200)
  }
})

t.test('after a change from the single scheme to dual, neither does it', async (t) => {
  const rig = embedded({ scheme: 'single' })
  const { session, accessToken } = await issue(rig.ports, { sub: 'alice' })
  const dual = { ...rig.ports, settings: { ...rig.ports.settings, scheme: 'dual' as const } }
  const invented = `${session.sid}.${session.sid}.${'A'.repeat(43)}`
  t.equal(await outcomeOf(() => refresh(dual, invented)), 'refresh_token_invalid')
  t.equal(await judged(rig, accessToken), 'good')
})
