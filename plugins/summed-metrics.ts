import { AggregatorRegistry } from 'prom-client'
import type { Registry } from 'prom-client'
import type { MetricValues } from '../src/workers/messages.js'

/**
 * The metrics of the primary and its workers as one: what is counted is summed, gauges are joined as each says
 * (`aggregator`). What a worker had counted when it was last asked stays counted after its end, so that no count goes
 * back.
 */
export class SummedMetrics {
  readonly contentType: string
  readonly #own: Registry
  readonly #measure: () => Promise<void>
  readonly #last = new Map<number, MetricValues>()
  /** Of workers that are gone. */
  #kept: MetricValues[] = []
  #asking: Promise<string> | undefined

  /** `own`: the primary's. `measure` asks the workers, whose answers come by `take`. */
  constructor(own: Registry, measure: () => Promise<void>) {
    this.contentType = own.contentType
    this.#own = own
    this.#measure = measure
  }

  /** As text for Prometheus. Who asks meanwhile gets the same. */
  metrics(): Promise<string> {
    this.#asking ??= this.#sum().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  /** What the worker of this id has told. */
  take(id: number, metrics: MetricValues): void {
    this.#last.set(id, metrics)
  }

  /** The worker of this id is gone, and tells no more. */
  end(id: number): void {
    const counted = this.#last.get(id)?.filter(({ type }) => isCount(String(type)))
    this.#last.delete(id)
    if (counted) this.#kept.push(counted)
  }

  async #sum(): Promise<string> {
    await this.#measure()
    // One list in place of many, else each death would leave one.
    const kept = this.#kept.splice(0)
    if (kept.length > 0) this.#kept.push(await AggregatorRegistry.aggregate(kept).getMetricsAsJSON())
    const own = await this.#own.getMetricsAsJSON()
    return AggregatorRegistry.aggregate([own, ...this.#last.values(), ...this.#kept]).metrics()
  }
}

const isCount = (type: string) => type === 'counter' || type === 'histogram'
