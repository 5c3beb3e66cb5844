/** What the primary of `serve --workers N` and its workers say to each other. */
import type { MetricObjectWithValues, MetricValue } from 'prom-client'
import type { GatewaySettings } from '../config.js'

export type MetricValues = MetricObjectWithValues<MetricValue<string>>[]

/** What a worker is told. */
export type Order =
  | { readonly type: 'start'; readonly settings: GatewaySettings }
  | { readonly type: 'measure' }
  | { readonly type: 'stop' }
  /** To stop listening at once. */
  | { readonly type: 'end-drain' }

/** What a worker tells. */
export type Report =
  /** What it was told before, it hasn't heard. */
  | { readonly type: 'ready' }
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'listener-closed' }
  | { readonly type: 'measured'; readonly metrics: MetricValues }
