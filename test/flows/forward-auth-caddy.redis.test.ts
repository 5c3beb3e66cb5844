/** Debian's Caddy, set up by examples/caddy/Caddyfile, asks two gateways on one Redis. */
import t from 'tap'
import { startCaddy } from '../support/forward-auth-proxies.js'
import { frontContract } from './forward-auth.contract.js'

if (process.env['TEST_CADDY_SERVER'] === '') t.plan(0, 'there is no caddy here')
else
  await frontContract(t, {
    start: startCaddy,
    statusFor: (status) => status,
    loginFor: (target) => `/login?next=${encodeURIComponent(target)}`,
  })
