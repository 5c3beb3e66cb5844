import { Type } from 'typebox'
import { LAXITIES } from '../gateway/request-target.js'
import { bound, choice, count, leaf, list, size, timeout } from './leaf.js'

/** One of the gateway's routes, as it is written. */
export const RouteSchema = Type.Object({
  path: leaf('routePath', {
    description: 'covers everything beneath it, by whole segments; the longest wins',
  }),
  methods: Type.Optional(
    list(leaf('method', { description: 'a method' }), {
      description: 'the methods it is for (GET includes HEAD); all but TRACE and CONNECT unless set',
      minItems: 1,
    }),
  ),
  upstream: Type.Optional(
    leaf('upstreams', {
      description:
        'the origin of the server behind, such as http://127.0.0.1:8080, or a list of equal ones; none: for forward-auth alone',
    }),
  ),
  rewritePrefix: Type.Optional(
    leaf('routePath', { description: 'what stands in place of path in the upstream’s target' }),
  ),
  targetAllow: list(choice(LAXITIES, { description: 'a rule' }), {
    description: 'rules of the target law that are left to the upstream',
    default: [],
  }),
  auth: choice(['required', 'optional', 'none'], {
    description: 'who passes (optional: anonymous without a token; none: no token is looked at)',
    default: 'required',
  }),
  scope: list(leaf('scope', { description: 'a scope' }), {
    description: 'the scopes that a token must have',
    default: [],
  }),
  host: choice(['keep', 'upstream'], { description: 'the Host that the upstream sees', default: 'keep' }),
  rateLimit: Type.Optional(
    Type.Object({
      max: count({ description: 'requests to this route' }),
      per: bound({ description: 'the time they are counted in', default: '1m' }),
      by: choice(['subject', 'address'], {
        description: 'whose (subject: after the verdict, anonymous ones by address; address: before it)',
        default: 'subject',
      }),
    }),
  ),
  onSuccess: Type.Optional(
    choice(['end-session', 'end-other-sessions', 'end-all-sessions'], {
      description: 'what a 2xx of the upstream does to the sessions of who asked',
    }),
  ),
  forwardToken: leaf('boolean', { description: 'pass the accepted access token on', default: false }),
  onOutage: Type.Optional(leaf('onOutage', { description: 'revocation.onOutage for this route' })),
  limits: Type.Optional(
    Type.Object({
      body: Type.Optional(size({ description: 'limits.body for this route' })),
      bodyTimeout: Type.Optional(bound({ description: 'limits.bodyTimeout for this route' })),
    }),
  ),
  timeouts: Type.Optional(
    Type.Object({
      connect: Type.Optional(timeout({ description: 'timeouts.connect for this route' })),
      headers: Type.Optional(timeout({ description: 'timeouts.headers for this route' })),
      body: Type.Optional(timeout({ description: 'timeouts.body for this route' })),
      total: Type.Optional(timeout({ description: 'timeouts.total for this route' })),
    }),
  ),
})
