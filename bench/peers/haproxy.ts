/** HAProxy's jwt_verify with a map as denylist. In production, entries are added with the runtime API. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/support/redis.js'
import { hostOf } from '../nginx.js'
import { ANSWER } from '../peer.js'
import type { Peer } from '../peer.js'
import type { Server, Servers } from '../processes.js'
import { findProgram } from '../programs.js'
import type { Setup } from '../setup.js'

/** Returns the checks of HAProxy's documentation: a fixed algorithm, signature, issuer, audience, expiry, and the map. */
function check(
  { algorithm, issuer, audience, verifyingKey, verifyingKeyFile }: Setup,
  denied: string,
): string {
  const key = algorithm === 'HS256' ? verifyingKey : verifyingKeyFile
  return `
    http-request set-var(txn.token) http_auth_bearer
    http-request deny deny_status 401 unless { var(txn.token),jwt_header_query('$.alg') -m str ${algorithm} }
    http-request deny deny_status 401 unless { var(txn.token),jwt_verify(${algorithm},"${key}") -m int 1 }
    http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.iss') -m str ${issuer} }
    http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.aud') -m str ${audience} }
    http-request set-var(txn.now) date()
    http-request set-var(txn.left) var(txn.token),jwt_payload_query('$.exp','int'),sub(txn.now)
    http-request deny deny_status 401 unless { var(txn.left) -m int gt 0 }
    http-request deny deny_status 401 if { var(txn.token),jwt_payload_query('$.jti'),map_str(${denied}) -m found }`
}

async function startHaproxy({ program }: Servers, setup: Setup, answer: string): Promise<Server> {
  const port = await freePort()
  const [denied, config] = [`denied-${port}.map`, `haproxy-${port}.cfg`].map((name) =>
    join(setup.directory, name),
  ) as [string, string]
  await writeFile(denied, `${setup.deniedJti} 1\n`)
  await writeFile(
    config,
    `
global
    nbthread 1
defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:${port}
${check(setup, denied)}
    ${answer}
backend behind
    server behind ${hostOf(setup.upstreamUrl)} pool-max-conn -1
`,
  )
  return program([findProgram('haproxy') ?? 'haproxy', '-db', '-f', config], `http://127.0.0.1:${port}`)
}

const shared = { program: 'haproxy', algorithms: ['HS256', 'RS256', 'ES256'] } as const

export const peers: Peer[] = [
  {
    ...shared,
    name: 'haproxy',
    title: 'HAProxy jwt_verify + map, proxying',
    start: async (all, setup) => [await startHaproxy(all, setup, 'default_backend behind')],
  },
  {
    ...shared,
    name: 'haproxy-itself',
    title: 'HAProxy jwt_verify + map, responding itself',
    start: async (all, setup) => {
      const body = JSON.stringify(ANSWER).replaceAll('"', '\\"')
      const answer = `http-request return status 200 content-type application/json string "${body}"`
      return [await startHaproxy(all, setup, answer)]
    },
  },
]
