import { Type } from 'typebox'
import { bound, count, countOrNone, size, timeout } from './leaf.js'

/** `limits`: bounds on the requests and connections of clients. */
export const LimitsSchema = Type.Object({
  headers: size({ description: 'maximum size of all headers of a request', default: '16kb' }),
  headerCount: count({ description: 'maximum number of headers in a request', default: 200 }),
  target: size({ description: 'maximum size of the request target (path and query)', default: '8kb' }),
  body: size({ description: 'maximum size of a request body', default: '1mb' }),
  headersTimeout: bound({
    description: 'maximum time until the headers of a request have arrived',
    default: '10s',
  }),
  bodyTimeout: bound({
    description:
      'maximum time for the whole request body on Portcullis’s own routes, and between two chunks of it on proxied routes',
    default: '10s',
  }),
  minBodyRate: size({
    description:
      'minimum rate of a request body on proxied routes after its first 5s, in bytes per second; 0b means no minimum',
    default: '240b',
    minimum: 0,
  }),
  idle: bound({ description: 'time after which a connection without a request is closed', default: '60s' }),
  connections: countOrNone({
    description:
      'maximum number of open client connections per process; 0 means three quarters of its file descriptors',
    default: 0,
  }),
  upgrades: count({ description: 'maximum number of open WebSockets', default: 10_000 }),
  upgradesPerAddress: count({
    description: 'maximum number of open WebSockets per subject, or per client address without a token',
    default: 100,
  }),
  responseHeaders: size({
    description: 'maximum size of the headers of an upstream’s response',
    default: '64kb',
  }),
  eventLoopDelay: timeout({
    description: 'mean event-loop delay above which requests are refused; 0s turns this off',
    default: '1s',
  }),
})

/** `timeouts`: bounds on waiting for upstreams, and on the stop of the process. */
export const TimeoutsSchema = Type.Object({
  connect: timeout({
    description: 'maximum time to connect to an upstream server; 0s means no limit',
    default: '2s',
  }),
  headers: timeout({
    description: 'maximum time until the response headers of the upstream; 0s means no limit',
    default: '30s',
  }),
  body: timeout({
    description: 'maximum time between two chunks of the response; 0s means no limit',
    default: '60s',
  }),
  total: timeout({
    description: 'maximum total time of a proxied request; 0s means no limit',
    default: '0s',
  }),
  drain: timeout({
    description:
      'time for which a stopping process is unready and closes connections before it stops listening',
    default: '0s',
  }),
  shutdown: timeout({
    description: 'maximum time for open requests to finish after the process has stopped listening',
    default: '6s',
  }),
})
