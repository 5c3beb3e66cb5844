/** Debian's nginx, set up by examples/nginx/nginx.conf, asks two gateways on one Redis. */
import t from 'tap'
import { startNginx } from '../support/forward-auth-proxies.js'
import { frontContract } from './forward-auth.contract.js'

if (process.env['TEST_NGINX_SERVER'] === '') t.plan(0, 'there is no nginx here')
else
  await frontContract(t, {
    start: startNginx,
    // auth_request knows no other refusals.
    statusFor: (status) => (status === 401 || status === 403 ? status : 500),
    loginFor: (target) => `/login?next=${target}`,
  })
