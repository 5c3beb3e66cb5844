/** The targets for the cost of Portcullis. Each is a ratio to another peer of the same run. */
import type { Options } from './options.js'

export interface Figure {
  readonly what: string
  readonly peer: string
  readonly to: string
  /** The greatest ratio that meets the target. */
  readonly reach: number
  /** A stricter ratio, as the next goal. */
  readonly aim: number
}

/** Returns the targets that apply to this run, if it has the peers. */
export function figuresFor({ algorithm, tokens }: Pick<Options, 'algorithm' | 'tokens'>): Figure[] {
  const bare =
    tokens >= 100_000 ? { reach: 1.35, aim: 1.2 } : { reach: algorithm === 'RS256' ? 1.25 : 1.3, aim: 1.1 }
  const haproxy = algorithm === 'HS256' ? { reach: 1.3, aim: 1 } : { reach: 0.6, aim: 0.45 }
  const own = (to: string, what: string, reach: number, aim: number): Figure => ({
    what: `protected route, against ${what}`,
    peer: 'plugin',
    to,
    reach,
    aim,
  })
  const proxied = (to: string, what: string, reach: number, aim: number): Figure => ({
    what: `proxied, against ${what}`,
    peer: 'gateway',
    to,
    reach,
    aim,
  })
  return [
    { what: 'protected route, against a bare one', peer: 'plugin', to: 'bare', ...bare },
    own('jwt-exists', 'Fastify + @fastify/jwt + EXISTS', 0.4, 0.32),
    own('express', 'Express + jsonwebtoken + Redis, key parsed once', 1 / 7, 1 / 9),
    own('express-written', 'Express + jsonwebtoken + Redis, as written', 1 / 14, 1 / 18),
    ...(algorithm === 'HS256' || algorithm === 'RS256'
      ? [
          own('haproxy-itself', 'HAProxy jwt_verify + map, responding itself', haproxy.reach, haproxy.aim),
          own('haproxy', 'HAProxy jwt_verify + map, proxying', haproxy.reach, haproxy.aim),
        ]
      : []),
    proxied('http-proxy-exists', '@fastify/http-proxy + @fastify/jwt + EXISTS', 0.45, 0.3),
    proxied('nginx-exists', 'nginx auth_request → Fastify + the same check', 1, 0.7),
    proxied('nginx', 'nginx proxy_pass', 3, 2),
  ]
}
