import t from 'tap'
import { USERS, call, isRefused, logIn, startGateway } from '../support/gateway-process.js'

const FIELDS = ['createdAt', 'current', 'device', 'expiresAt', 'ip', 'lastSeenAt', 'sid', 'userAgent']

const { url } = await startGateway(t)
const list = (token: string) => call(url, 'GET', '/auth/sessions', { token })
const end = (token: string, sid: string) => call(url, 'DELETE', `/auth/sessions/${sid}`, { token })

t.test('the list has the subject’s own sessions with the documented fields, times in seconds', async (t) => {
  await logIn(url, 'bob')
  const one = await logIn(url)
  const json = { username: 'ada', password: USERS.ada, device: 'phone' }
  const two = (await call(url, 'POST', '/auth/login', { json, headers: { 'user-agent': 'A'.repeat(400) } }))
    .body
  const { status, body, headers } = await list(two.access_token)
  t.equal(status, 200)
  t.equal(headers['cache-control'], 'no-store')
  t.strictSame(Object.keys(body), ['sessions'])
  const bySid = new Map<string, Record<string, unknown>>(
    body.sessions.map((session: { sid: string }) => [session.sid, session]),
  )
  t.strictSame([...bySid.keys()].toSorted(), [one.session_id, two.session_id].toSorted())
  for (const session of body.sessions) t.strictSame(Object.keys(session).toSorted(), FIELDS)
  const now = Date.now() / 1000
  const { createdAt, lastSeenAt, expiresAt, ...rest } = bySid.get(two.session_id) as Record<string, number>
  t.ok(createdAt! <= now && createdAt! > now - 60 && Number.isInteger(createdAt))
  t.equal(lastSeenAt, createdAt)
  t.equal(expiresAt, createdAt! + 30 * 86_400)
  t.match(rest, { device: 'phone', ip: '127.0.0.1', userAgent: /^A{1,256}$/, current: true })
  t.match(bySid.get(one.session_id), { device: null, userAgent: null, current: false })
})

t.test('a session is ended by its sid, with its tokens', async (t) => {
  const [one, two] = [await logIn(url), await logIn(url)]
  const answer = await end(one.access_token, two.session_id)
  t.equal(answer.status, 204)
  isRefused(t, await list(two.access_token), 401, 'session_ended')
  const json = { refresh_token: two.refresh_token }
  isRefused(t, await call(url, 'POST', '/auth/refresh', { json }), 401, 'session_ended')
  const { sessions } = (await list(one.access_token)).body
  t.notOk(sessions.some(({ sid }: { sid: string }) => sid === two.session_id))
  t.equal((await end(one.access_token, one.session_id)).status, 204, 'its own too')
  isRefused(t, await list(one.access_token), 401, 'session_ended')
})

t.test('a foreign, an unknown and a malformed sid are all 404 and change nothing', async (t) => {
  const mine = await logIn(url)
  const foreign = await logIn(url, 'bob')
  const details = new Set<string>()
  for (const sid of [foreign.session_id, 'A'.repeat(22), '*', 'x', encodeURIComponent('ä')]) {
    const answer = await end(mine.access_token, sid)
    isRefused(t, answer, 404, 'not_found', sid)
    details.add(answer.body.detail)
  }
  t.equal(details.size, 1)
  t.equal((await list(foreign.access_token)).status, 200)
})

t.test('without a valid token there is neither list nor end', async (t) => {
  const { session_id } = await logIn(url)
  isRefused(t, await call(url, 'GET', '/auth/sessions'), 401, 'credentials_missing')
  isRefused(t, await call(url, 'DELETE', `/auth/sessions/${session_id}`), 401, 'credentials_missing')
})

t.test('a long list comes in pages, each with the cursor of the next', async (t) => {
  const logins = []
  for (let i = 0; i < 5; i += 1) logins.push(await logIn(url, 'bob'))
  const token = logins[0]!.access_token
  const all = (await list(token)).body.sessions.map(({ sid }: { sid: string }) => sid)
  const found: string[] = []
  let cursor: string | undefined
  do {
    const query = cursor === undefined ? 'limit=2' : `limit=2&cursor=${encodeURIComponent(cursor)}`
    const { status, body } = await call(url, 'GET', `/auth/sessions?${query}`, { token })
    t.equal(status, 200)
    t.ok(body.sessions.length <= 2)
    found.push(...body.sessions.map(({ sid }: { sid: string }) => sid))
    cursor = body.next_cursor
  } while (cursor !== undefined)
  t.strictSame(found, all)
  for (const query of ['limit=0', 'limit=501', 'limit=x', 'cursor=x', 'limit=1&limit=2'])
    isRefused(t, await call(url, 'GET', `/auth/sessions?${query}`, { token }), 400, 'invalid_request', query)
})
