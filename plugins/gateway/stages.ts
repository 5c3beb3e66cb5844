/**
 * The stages that a request of the gateway passes before it reaches a route, as Fastify plugins. Hooks run in the order
 * in which they were registered. Fastify refuses to start if a stage is registered before one that it depends on.
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

/** Comes first, so that requests which a later stage refuses are measured and logged, too. */
const observation = stage('observation', [], (app, { core, settings }) => {
  measureRequests(app, core.metrics.registry)
  if (settings.log.requests) logRequests(app, authPropertyOf(core.settings.decorators))
})

/** Every response after this stage, errors included, waits for those of earlier requests on its connection. */
const pipelining = stage('pipelining', ['observation'], (app, { connections }) =>
  servePipelinedInOrder(app, connections),
)

/** Comes before all work for a request. */
const loadShedding = stage('load-shedding', ['pipelining'], (app, { core, settings }) =>
  shedLoad(app, core, settings),
)

const strictRequests = stage('strict-requests', ['pipelining', 'load-shedding'], (app, { settings }) =>
  rejectBadRequests(app, settings.limits),
)

/** `100 Continue` must not be sent for a request that is refused. */
const expectContinue = stage('expect-continue', ['strict-requests'], (app) => registerExpectContinue(app))

/** The time limit begins after `100 Continue`, because the client waits for it. */
const bodyTimeout = stage('body-timeout', ['expect-continue'], (app, { settings }) =>
  boundBodyTime(app, settings.limits.bodyTimeout),
)

const cors = stage('cors', ['strict-requests'], (app, { settings }) =>
  registerCors(app, settings.cors.origins),
)

/** Forwards what none of our own routes handles. Its routes need every stage before. */
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
