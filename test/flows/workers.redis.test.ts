/** `workers: 2`: several processes on one port answer as one gateway. */
import t from 'tap'
import { call, home, isRefused, logIn, soon } from '../support/gateway-process.js'
import {
  answersOf,
  ask,
  metric,
  pidsOf,
  primaryOf,
  serveWithWorkers,
  untilMetric,
} from '../support/gateway-workers.js'

const TOKEN = 'a-token-for-the-admin-listener-of-tests'
const directory = await home(t)
const gateway = await serveWithWorkers(t, { admin: { host: '127.0.0.1', port: 0, token: TOKEN } }, directory)
const { url, adminUrl } = gateway
const [one, two] = pidsOf(gateway)
const me = (token: string) => ask(url, 'GET', '/auth/me', { token })

/** Waits until both workers, and nobody else, have told of as many answers of this status. */
async function bothAnswered(status: number, times: number): Promise<boolean> {
  const counts = await soon(`${times} answers ${status} are in the log`, () => {
    const found = answersOf(gateway, status)
    return [...found.values()].reduce((sum, count) => sum + count, 0) >= times ? found : undefined
  })
  return [...counts.keys()].toSorted().join() === [one, two].toSorted().join()
}

t.test('the log says once where the gateway listens, when both workers do', async (t) => {
  const { records } = gateway
  t.equal(records().filter(({ event }) => event === 'started').length, 1)
  t.match(
    records().find(({ event }) => event === 'started'),
    { url: /^http:\/\/127\.0\.0\.1:\d+$/, admin: /^http:\/\/127\.0\.0\.1:\d+$/, workers: 2 },
  )
  t.equal(new Set([one, two, primaryOf(gateway)]).size, 3, 'three processes')
  t.ok(
    records().findIndex(({ event }) => event === 'started') >
      records().findLastIndex(({ event }) => event === 'worker_started'),
  )
})

t.test('both workers serve with one key, and their refusals are counted together', async (t) => {
  const { access_token } = await logIn(url)
  for (let i = 0; i < 30; i++) t.equal((await me(access_token)).status, 200)
  t.ok(await bothAnswered(200, 30), 'by both')
  for (let i = 0; i < 30; i++) t.equal((await ask(url, 'GET', '/auth/me')).status, 401)
  t.ok(await bothAnswered(401, 30), 'by both')
  await untilMetric(gateway, 'portcullis_refusals_total{code="credentials_missing"}', 30)
  await untilMetric(gateway, 'portcullis_events_total{event="login"}', 1)
})

t.test('a logout takes effect on both at once', async (t) => {
  const before = answersOf(gateway, 401)
  const logouts = () => answersOf(gateway, 204)
  let asked = 0
  for (let round = 0; round < 8 || (round < 100 && logouts().size < 2); round++) {
    const { access_token } = await logIn(url)
    t.equal((await ask(url, 'POST', '/auth/logout', { token: access_token })).status, 204)
    // An even number and an odd one in turn, else it would always be the same worker's turn to log out.
    const answers = await Promise.all(Array.from({ length: 6 + (round % 2) }, () => me(access_token)))
    for (const answer of answers) isRefused(t, answer, 401, 'session_ended')
    asked += answers.length
  }
  t.equal(logouts().size, 2, 'each of them has logged somebody out')
  const all = [...before.values()].reduce((sum, count) => sum + count, asked)
  t.ok(await bothAnswered(401, all))
  for (const pid of [one!, two!]) {
    t.ok(answersOf(gateway, 401).get(pid)! > (before.get(pid) ?? 0), 'each was asked after a logout')
  }
})

t.test('the admin listener is the primary’s: what it revokes, both workers refuse', async (t) => {
  const api = (method: string, path: string, json?: unknown) =>
    call(adminUrl!, method, `/api${path}`, { token: TOKEN, json })
  for (let round = 0; round < 4; round++) {
    const { access_token: token, session_id: sid } = await logIn(url)
    t.equal((await api('POST', '/explain', { token })).body.admitted, true)
    t.equal((await api('POST', '/revocations', { sid })).status, 201)
    const answers = await Promise.all(Array.from({ length: 6 }, () => me(token)))
    for (const answer of answers) isRefused(t, answer, 401, 'session_ended')
    const { body } = await api('GET', `/revocations?search=${sid}`)
    t.equal(body.revocations.length, 1)
  }
  isRefused(t, await call(adminUrl!, 'GET', '/api/revocations'), 401, 'credentials_missing')
})

t.test('gauges are combined as each one says', async (t) => {
  t.equal(await metric(gateway, 'portcullis_workers'), 2)
  t.equal(await metric(gateway, 'portcullis_worker_restarts_total'), 0)
  // As the primary needs one for /api.
  await untilMetric(gateway, 'portcullis_replica_state{state="LEASED"}', 3)
  await soon('what is left of the shortest lease is told, not the sum', async () => {
    const left = await metric(gateway, 'portcullis_lease_left_seconds')
    t.ok(left <= 1)
    return left > 0
  })
})
