import t from 'tap'
import { createRouteLimiters } from '../../plugins/gateway/route-limits.js'
import type { RouteSettings } from '../../src/config.js'
import { redisKeys } from '../../src/redis/keys.js'

const route = (path: string) => ({ path, rateLimit: { max: 1, per: 60_000 } }) as unknown as RouteSettings

/** `ok`, or the code of the refusal. */
const outcomeOf = (work: Promise<void>) =>
  work.then(
    () => 'ok',
    ({ code }: { code: string }) => code,
  )

t.test(
  'the routes of a deployment share one bounded store, in which addresses displace no subject',
  async (t) => {
    const [open, strict] = [route('/open'), route('/strict')]
    const limiters = await createRouteLimiters([open, strict], redisKeys('test'), undefined, 20)
    const count = (to: RouteSettings, who: string) => outcomeOf(limiters.count(to, who))
    for (const who of ['sub:ada', 'address:192.0.2.1']) {
      t.equal(await count(strict, who), 'ok')
      t.equal(await count(strict, who), 'rate_limited')
    }
    t.equal(await count(open, 'sub:ada'), 'ok', 'each route has a count of its own')
    for (let i = 0; i < 10; i += 1) t.equal(await count(open, `address:198.51.100.${i}`), 'ok')
    t.equal(await count(strict, 'address:192.0.2.1'), 'ok', 'ten newer ones are all that half of 20 holds')
    t.equal(await count(strict, 'sub:ada'), 'rate_limited')
  },
)
