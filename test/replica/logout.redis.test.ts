/** A logout on one instance ends the token on all of them, before it answers. */
import t from 'tap'
import { isRefused, logIn } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'
import { guarded, logInOften, logout, startInstances, tell } from '../support/gateway-instances.js'

/** `LOGOUTS=10000` for a long run. */
const LOGOUTS = Number(process.env['LOGOUTS'] ?? 1_000)
const PAGE = 500

t.setTimeout(900_000)

const { url } = await startRedis(t)
const instances = await startInstances(t, [url, url, url])
const [a, b, c] = instances as [(typeof instances)[0], (typeof instances)[0], (typeof instances)[0]]

t.test('a token logged out on A is accepted neither on B nor on C', { timeout: 800_000 }, async (t) => {
  const bystander = await logIn(b.url)
  const times: number[] = []
  const wrong: object[] = []
  for (let done = 0; done < LOGOUTS; done += PAGE) {
    for (const { access_token } of await logInOften(instances, Math.min(PAGE, LOGOUTS - done))) {
      const before = await Promise.all([b, c].map((each) => guarded(each, access_token)))
      const { status, milliseconds } = await logout(a, access_token)
      const after = await Promise.all([b, c].map((each) => guarded(each, access_token)))
      const statuses = [...before, { status }, ...after].map((answer) => answer.status)
      if (statuses.join() !== '200,200,204,401,401') wrong.push({ done: times.length, statuses })
      times.push(milliseconds)
    }
  }
  t.equal(times.length, LOGOUTS)
  t.strictSame(wrong, [], 'each was accepted before, and by nobody afterwards')
  for (const each of instances) t.equal((await guarded(each, bystander.access_token)).status, 200)
  tell(t, 'logout', times)
})

t.test('concurrent logouts on all instances each wait for all instances', async (t) => {
  const sessions = await logInOften(instances, 120)
  const times: number[] = []
  const answers = await Promise.all(
    sessions.map(async ({ access_token }, i) => {
      const { status, milliseconds } = await logout(instances[i % 3]!, access_token)
      times.push(milliseconds)
      const after = await Promise.all(instances.map((each) => guarded(each, access_token)))
      return [status, ...after.map((answer) => answer.status)].join()
    }),
  )
  t.strictSame([...new Set(answers)], ['204,401,401,401'])
  tell(t, 'one of 120 logouts at once', times)
})

t.test('the error says that the session has ended', async (t) => {
  const { access_token } = await logIn(c.url)
  t.equal((await logout(a, access_token)).status, 204)
  for (const each of instances) isRefused(t, await guarded(each, access_token), 401, 'session_ended')
})
