import { Type } from 'typebox'
import { bound, count, size, timeout } from './leaf.js'

/** `limits`: what the gateway takes of a client. */
export const LimitsSchema = Type.Object({
  headers: size({ description: 'all headers of a request', default: '16kb' }),
  headerCount: count({ description: 'headers in a request', default: 200 }),
  target: size({ description: 'path and query', default: '8kb' }),
  body: size({ description: 'the body of a request', default: '1mb' }),
  headersTimeout: bound({ description: 'for the headers to arrive', default: '10s' }),
  bodyTimeout: bound({
    description: 'for the body to arrive: all of it on our routes, between two pieces through the proxy',
    default: '10s',
  }),
  idle: bound({ description: 'for a connection without a request', default: '60s' }),
  upgrades: count({ description: 'open WebSockets', default: 10_000 }),
  upgradesPerAddress: count({ description: 'open WebSockets from an address', default: 100 }),
  eventLoopDelay: timeout({
    description: 'mean delay of the event loop above which requests are refused; 0s: none',
    default: '1s',
  }),
})

/** `timeouts`: how long it waits for upstreams, and for its own end. */
export const TimeoutsSchema = Type.Object({
  connect: timeout({ description: 'to reach the upstream; 0s: none', default: '2s' }),
  headers: timeout({ description: 'until the upstream answers; 0s: none', default: '30s' }),
  body: timeout({ description: 'between two pieces of its answer; 0s: none', default: '60s' }),
  total: timeout({ description: 'of a proxied request in all; 0s: none', default: '0s' }),
  drain: timeout({
    description: 'how long a stopping process is unready, and closes connections, before it stops listening',
    default: '0s',
  }),
  shutdown: timeout({
    description: 'for open requests to end once the process has stopped listening',
    default: '10s',
  }),
})
