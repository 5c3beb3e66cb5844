/**
 * The stages that each request to the gateway passes, as Fastify plugins. The last stage is the reverse proxy. Hooks
 * run in the order in which they were registered. Fastify refuses to start if a stage is registered before one that it
 * depends on.
 */
import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'
import type { Core } from '../../src/app/core.js'
import type { GatewaySettings } from '../../src/config.js'
import { authPropertyOf } from '../decorators.js'
import { boundBodyTime } from './body-timeout.js'
import type { ClientConnections } from './client-connections.js'
import { registerCors } from './cors.js'
import { registerExpectContinue } from './expect-continue-hook.js'
import type { Gate } from './gate.js'
import { shedLoad } from './load-shedding.js'
import { servePipelinedInOrder } from './pipelining.js'
import { logRequests } from './request-line.js'
import { measureRequests } from './request-metrics.js'
import { registerGateway } from './reverse-proxy.js'
import { rejectBadRequests } from './strict-requests.js'

export interface StageOptions {
  readonly core: Core
  readonly settings: GatewaySettings
  readonly connections: ClientConnections
  readonly gate: Gate
}

type Stage = (app: FastifyInstance, options: StageOptions) => void | Promise<void>

function stage(name: string, dependencies: readonly string[], register: Stage) {
  return fp<StageOptions>(async (app, options) => register(app, options), {
    fastify: '5.x',
    name: `portcullis-${name}`,
    dependencies: dependencies.map((one) => `portcullis-${one}`),
  })
}

/** Measures and logs requests. Comes first, to include those that a later stage refuses. */
const observation = stage('observation', [], (app, { core, settings }) => {
  measureRequests(app, core.metrics.registry)
  if (settings.log.requests) logRequests(app, authPropertyOf(core.settings.decorators))
})

/** Serves the requests of each connection one after another. Later stages never see a request that still waits. */
const pipelining = stage('pipelining', ['observation'], (app, { connections }) =>
  servePipelinedInOrder(app, connections),
)

/** Refuses requests under overload. Comes early, so that a refused request costs almost nothing. */
const loadShedding = stage('load-shedding', ['pipelining'], (app, { core, settings }) =>
  shedLoad(app, core, settings),
)

/** Refuses requests that servers may read in different ways, and those beyond the limits. */
const strictRequests = stage('strict-requests', ['pipelining', 'load-shedding'], (app, { settings }) =>
  rejectBadRequests(app, settings.limits),
)

/** Sends `100 Continue`. Comes after `strict-requests`, because a refused request must not get one. */
const expectContinue = stage('expect-continue', ['strict-requests'], (app) => registerExpectContinue(app))

/** Limits the time for the request body. The time begins at `100 Continue`, because the client sends no body before. */
const bodyTimeout = stage('body-timeout', ['expect-continue'], (app, { settings }) =>
  boundBodyTime(app, settings.limits.bodyTimeout),
)

const cors = stage('cors', ['strict-requests'], (app, { settings, gate }) =>
  registerCors(app, settings, gate),
)

/** Forwards each request that no route of the gateway itself handles. Depends on every stage before it. */
const reverseProxy = stage(
  'reverse-proxy',
  ['strict-requests', 'expect-continue', 'body-timeout', 'cors'],
  (app, { core, settings, gate, connections }) => registerGateway(app, core, settings, { gate, connections }),
)

/** Registers all stages. */
export async function registerStages(app: FastifyInstance, options: StageOptions): Promise<void> {
  const stages = [
    observation,
    pipelining,
    loadShedding,
    strictRequests,
    expectContinue,
    bodyTimeout,
    cors,
    reverseProxy,
  ]
  for (const each of stages) await app.register(each, options)
}
