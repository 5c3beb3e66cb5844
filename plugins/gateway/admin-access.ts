/** Decides which requests the admin listener serves. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { hostName } from '../../src/gateway/routes.js'
import { createLimitStore } from '../../src/rate-limit/limiters.js'
import { createSampler } from '../../src/sample.js'
import { addressKey } from '../client-address.js'
import { createCounter } from '../rate-limit-counter.js'

/**
 * Refuses requests for a host that could be anybody's. A web page can let a name of its own point to this listener (DNS
 * rebinding), and then read from it with the browser of an operator. The `Host` of such a request is that name.
 *
 * IP addresses, `localhost` and names without a dot are never a web page's own.
 *
 * @param hosts Further hosts, in the form of `hostName`.
 */
export function refuseForeignHosts(app: FastifyInstance, hosts: readonly string[]): void {
  app.addHook('onRequest', async ({ headers: { host } }) => {
    if (host === undefined) return
    const name = hostName(host)
    const bare = name.startsWith('[') ? name.slice(1, -1) : name
    if (isIP(bare) !== 0 || !name.includes('.') || hosts.includes(name)) return
    throw new PortcullisError('invalid_request', {
      detail: 'Host: use an IP address, localhost, or a name that is listed in admin.hosts.',
    })
  })
}

/** The number of wrong tokens per address and minute after which the response is 429. */
const MAX_WRONG_TOKENS = 10

/**
 * Refuses requests without the admin token. Wrong tokens are logged, and limited by address. The right token passes
 * despite the limit: otherwise anybody at an operator's address could prevent revokes.
 */
export async function requireAdminToken(context: FastifyInstance, token: string): Promise<void> {
  const store = await createLimitStore(createCounter, undefined)
  const limiter = store.limiter({ namespace: 'admin-token', max: MAX_WRONG_TOKENS, per: 60_000 })
  const sample = createSampler()
  const expected = hash(`Bearer ${token}`)
  context.addHook('onRequest', async ({ headers, ip, log }) => {
    const presented = headers.authorization ?? ''
    // Compare digests, because `timingSafeEqual` needs two values of the same length.
    if (timingSafeEqual(hash(presented), expected)) return
    const detail = 'Send the token as Authorization: Bearer <admin.token>.'
    if (presented === '') throw new PortcullisError('credentials_missing', { detail })
    sample(() =>
      log.warn(
        { event: 'admin_token_refused', ip },
        'a wrong admin token was refused (logged at most once per second)',
      ),
    )
    const wait = await limiter.count(addressKey(ip))
    if (wait === 0) throw new PortcullisError('token_invalid', { detail })
    throw new PortcullisError('rate_limited', {
      detail: 'There were too many wrong tokens from this address.',
      headers: { 'retry-after': String(wait) },
    })
  })
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
