import { AggregatorRegistry } from 'prom-client'
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'

/** The metrics of one process as it sends them to the primary. */
export type MetricValues = MetricObjectWithValues<MetricValue<string>>[]

/**
 * The combined metrics of the primary and its workers. Counters are summed, and gauges are combined by their
 * `aggregator`. The last known counts of a dead worker are kept, because a counter must not decrease.
 */
export class SummedMetrics {
  readonly contentType: string
  readonly #own: Registry
  readonly #measure: () => Promise<void>
  readonly #last = new Map<number, MetricValues>()
  /** The last counts of workers that have ended. */
  #kept: MetricValues[] = []
  #pending: Promise<string> | undefined

  /**
   * @param own The metrics of the primary.
   * @param measure Requests metrics from all workers. Each response is passed to `take`.
   */
  constructor(own: Registry, measure: () => Promise<void>) {
    this.contentType = own.contentType
    this.#own = own
    this.#measure = measure
  }

  /** Returns the metrics in the text format of Prometheus. Concurrent calls share one result. */
  metrics(): Promise<string> {
    this.#pending ??= this.#sum().finally(() => (this.#pending = undefined))
    return this.#pending
  }

  /** Takes the metrics that a worker has sent. */
  take(id: number, metrics: MetricValues): void {
    this.#last.set(id, metrics)
  }

  /** Keeps the counts of a worker that has ended, and drops its gauges. */
  end(id: number): void {
    const counted = this.#last.get(id)?.filter(({ type }) => isCount(String(type)))
    this.#last.delete(id)
    if (counted) this.#kept.push(counted)
  }

  async #sum(): Promise<string> {
    await this.#measure()
    // Merge the lists of ended workers into one, or they would pile up.
    const kept = this.#kept.splice(0)
    if (kept.length > 0) this.#kept.push(await AggregatorRegistry.aggregate(kept).getMetricsAsJSON())
    const own = await this.#own.getMetricsAsJSON()
    return AggregatorRegistry.aggregate([own, ...this.#last.values(), ...this.#kept]).metrics()
  }
}

const isCount = (type: string) => type === 'counter' || type === 'histogram'
