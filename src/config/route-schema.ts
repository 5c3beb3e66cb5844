import { Type } from 'typebox'
import { LAXITIES } from '../gateway/lax-target.js'
import { bound, choice, count, leaf, list, size, timeout } from './leaf.js'

/** One route of the gateway, as it is written in the configuration. */
export const RouteSchema = Type.Object({
  path: leaf('routePath', {
    description: 'path that the route covers, with everything beneath it; the longest matching path wins',
  }),
  methods: Type.Optional(
    list(leaf('method', { description: 'a method' }), {
      description: 'methods that the route covers (GET includes HEAD); by default all but TRACE and CONNECT',
      minItems: 1,
    }),
  ),
  hosts: Type.Optional(
    list(leaf('routeHost', { description: 'a host' }), {
      description: 'hosts that the route is for, without a port; by default all',
      minItems: 1,
    }),
  ),
  upstream: Type.Optional(
    leaf('upstreams', {
      description:
        'origin such as http://127.0.0.1:8080 or unix:///run/api.sock, or a list of equivalent ones; without it the route is for forward-auth only',
    }),
  ),
  rewritePrefix: Type.Optional(
    leaf('routePath', { description: 'path that replaces the route’s path in the forwarded request target' }),
  ),
  redirects: choice(['keep', 'rewrite'], {
    description:
      'Location and Content-Location of a response that name the upstream itself (rewrite: they become paths under the route’s path)',
    default: 'keep',
  }),
  caseSensitive: leaf('boolean', {
    description:
      'the upstream distinguishes /Admin from /admin; otherwise other spellings of the path are refused',
    default: false,
  }),
  targetAllow: list(choice(LAXITIES, { description: 'a rule' }), {
    description: 'irregular request targets that are forwarded instead of refused',
    default: [],
  }),
  auth: choice(['required', 'optional', 'none'], {
    description:
      'need for an access token (optional: without one, the request is anonymous; none: tokens are ignored)',
    default: 'required',
  }),
  scope: list(leaf('scope', { description: 'a scope' }), {
    description: 'scopes that the access token must have',
    default: [],
  }),
  hidden: leaf('boolean', {
    description: 'true makes refusals 404, as if there were no such route',
    default: false,
  }),
  onAnonymous: choice(['refuse', 'redirect'], {
    description:
      'response to a browser that opens a page without a good token (refuse: 401; redirect: 302 to login.page)',
    default: 'refuse',
  }),
  host: choice(['keep', 'upstream'], {
    description: 'Host header that the upstream receives',
    default: 'keep',
  }),
  cors: choice(['gateway', 'upstream'], {
    description:
      'owner of CORS for the upstream’s responses and for preflights (upstream: preflights are forwarded without a token)',
    default: 'gateway',
  }),
  rateLimit: Type.Optional(
    Type.Object({
      max: count({ description: 'maximum number of requests to this route' }),
      per: bound({ description: 'time window of that limit', default: '1m' }),
      by: choice(['subject', 'address'], {
        description:
          'key of the count (subject: after the token is verified, anonymous requests by address; address: before that)',
        default: 'subject',
      }),
    }),
  ),
  onSuccess: Type.Optional(
    choice(['end-session', 'end-other-sessions', 'end-all-sessions'], {
      description: 'sessions of the caller that a 2xx response of the upstream ends',
    }),
  ),
  forwardToken: leaf('boolean', {
    description: 'true forwards the accepted access token to the upstream',
    default: false,
  }),
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
