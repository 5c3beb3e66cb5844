/** The messages between the primary of `serve --workers N` and its workers. */
import type { GatewaySettings } from '../config.js'
import type { MetricValues } from '../metrics/summed-metrics.js'

/** A message of the primary to a worker. */
export type Order =
  | { readonly type: 'start'; readonly settings: GatewaySettings }
  | { readonly type: 'measure' }
  | { readonly type: 'stop' }
  /** Ends the drain: the worker stops listening at once. */
  | { readonly type: 'end-drain' }
  /** Reads the certificate of `listen.tls` again. */
  | { readonly type: 'reload' }

/** A message of a worker to the primary. */
export type Report =
  /** The worker now receives messages. It has missed all earlier ones. */
  | { readonly type: 'ready' }
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'listener-closed' }
  | { readonly type: 'measured'; readonly metrics: MetricValues }
