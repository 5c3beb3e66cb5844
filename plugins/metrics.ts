import { Counter, Registry, collectDefaultMetrics } from 'prom-client'

/** What is counted; in a registry of our own, so that a host's metrics stay its own. */
export interface Metrics {
  readonly registry: Registry
  event(name: string): void
  refusal(code: string): void
}

export function createMetrics({ ofProcess }: { ofProcess: boolean }): Metrics {
  const registry = new Registry()
  if (ofProcess) collectDefaultMetrics({ register: registry, prefix: 'portcullis_' })
  const events = new Counter({
    name: 'portcullis_events_total',
    help: 'Security events, by name (login, login_failed, session_ended, refresh_token_reused …)',
    labelNames: ['event'],
    registers: [registry],
  })
  const refusals = new Counter({
    name: 'portcullis_refusals_total',
    help: 'Requests that a guard refused, by the code of the error',
    labelNames: ['code'],
    registers: [registry],
  })
  return {
    registry,
    event: (event) => events.inc({ event }),
    refusal: (code) => refusals.inc({ code }),
  }
}
