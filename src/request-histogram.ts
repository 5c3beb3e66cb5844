/** The duration of requests by route and outcome, in a form that costs one search of a short list per request. */

/** Upper bounds of the buckets, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The outcome of a request: the class of its status, or `aborted` if the response was cut. */
export type RequestOutcome = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'aborted'

interface Series {
  readonly labels: { readonly route: string; readonly outcome: RequestOutcome }
  /** One count per bound, and one for longer durations. Not cumulative. */
  readonly counts: Float64Array
  sum: number
}

/** A value as prom-client expects it. */
interface MetricValue {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/**
 * A histogram for a registry of prom-client. Its own `Histogram` hashes the labels of each observation, which would be a
 * noticeable part of a proxied request.
 */
export class RequestHistogram {
  readonly name = 'portcullis_request_duration_seconds'
  readonly help = 'Duration of requests in seconds, by configured route and outcome'
  readonly type = 'histogram'
  readonly aggregator = 'sum'
  readonly #series = new Map<string, Map<RequestOutcome, Series>>()

  /** @param route The path of the configured route, never one that a client chooses. */
  observe(route: string, outcome: RequestOutcome, seconds: number): void {
    const { counts } = this.#count(route, outcome, seconds)
    let at = 0
    while (at < BOUNDS.length && seconds > BOUNDS[at]!) at += 1
    counts[at]! += 1
  }

  /** Returns all values, for prom-client. */
  get(): { name: string; help: string; type: string; aggregator: string; values: MetricValue[] } {
    const { name, help, type, aggregator } = this
    const values: MetricValue[] = []
    for (const outcomes of this.#series.values()) {
      for (const series of outcomes.values()) addValues(values, name, series)
    }
    return { name, help, type, aggregator, values }
  }

  /** Removes all values, for prom-client. */
  reset(): void {
    this.#series.clear()
  }

  #count(route: string, outcome: RequestOutcome, seconds: number): Series {
    let outcomes = this.#series.get(route)
    if (!outcomes) this.#series.set(route, (outcomes = new Map()))
    let series = outcomes.get(outcome)
    if (!series) {
      const counts = new Float64Array(BOUNDS.length + 1)
      outcomes.set(outcome, (series = { labels: { route, outcome }, counts, sum: 0 }))
    }
    series.sum += seconds
    return series
  }
}

function addValues(values: MetricValue[], name: string, { labels, counts, sum }: Series): void {
  let total = 0
  counts.forEach((count, at) => {
    total += count
    values.push({
      metricName: `${name}_bucket`,
      labels: { le: BOUNDS[at] ?? '+Inf', ...labels },
      value: total,
    })
  })
  values.push({ metricName: `${name}_sum`, labels, value: sum })
  values.push({ metricName: `${name}_count`, labels, value: total })
}

/** Returns the outcome of a response with this status. */
export function toOutcome(status: number, isComplete: boolean): RequestOutcome {
  if (!isComplete) return 'aborted'
  if (status < 200) return '1xx'
  if (status < 300) return '2xx'
  if (status < 400) return '3xx'
  return status < 500 ? '4xx' : '5xx'
}
