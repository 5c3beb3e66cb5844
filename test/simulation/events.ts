interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** What is to happen, by its time; what is to happen at the same time happens in the order in which it was added. */
export class Events {
  readonly #heap: Event[] = []
  #order = 0

  add(at: number, run: () => void): void {
    this.#order += 1
    const event = { at, order: this.#order, run }
    let i = this.#heap.length
    for (let up = (i - 1) >> 1; i > 0 && isBefore(event, this.#heap[up]!); up = (i - 1) >> 1) {
      this.#heap[i] = this.#heap[up]!
      i = up
    }
    this.#heap[i] = event
  }

  /** Takes the next one that is due by `until`. */
  take(until: number): Event | undefined {
    const first = this.#heap[0]
    if (!first || first.at > until) return undefined
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) this.#sink(last)
    return first
  }

  #sink(event: Event): void {
    const { length } = this.#heap
    let i = 0
    for (let child = 1; child < length; child = 2 * i + 1) {
      if (child + 1 < length && isBefore(this.#heap[child + 1]!, this.#heap[child]!)) child += 1
      if (!isBefore(this.#heap[child]!, event)) break
      this.#heap[i] = this.#heap[child]!
      i = child
    }
    this.#heap[i] = event
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
