import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import t from 'tap'
import { SummedMetrics } from '../../src/metrics/summed-metrics.js'
import type { MetricValues } from '../../src/metrics/summed-metrics.js'

/** A process that counts. */
function someProcess() {
  const registers = [new Registry()]
  const requests = new Counter({ name: 'requests', help: 'x', labelNames: ['code'], registers })
  const seconds = new Histogram({ name: 'seconds', help: 'x', buckets: [1, 2], registers })
  const open = new Gauge({ name: 'open', help: 'x', registers })
  const left = new Gauge({ name: 'left', help: 'x', aggregator: 'min', registers })
  return { registry: registers[0]!, requests, seconds, open, left }
}

/** A primary and two workers, of which all answer unless they are taken out; `late` happens after their answers. */
function start() {
  const [primary, one, two] = [someProcess(), someProcess(), someProcess()]
  const answering = new Map([
    [1, one],
    [2, two],
  ])
  const asked = { times: 0, late: () => {} }
  const summed = new SummedMetrics(primary.registry, async () => {
    asked.times += 1
    for (const [id, { registry }] of answering) {
      // As it comes over the channel.
      summed.take(id, JSON.parse(JSON.stringify(await registry.getMetricsAsJSON())) as MetricValues)
    }
    asked.late()
  })
  return { primary, one, two, answering, asked, summed }
}

const lines = async (summed: SummedMetrics) =>
  (await summed.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))

t.test('counters and histograms are summed by their labels, gauges combined as they say', async (t) => {
  const { primary, one, two, summed } = start()
  one.requests.inc({ code: 'a' }, 2)
  two.requests.inc({ code: 'a' }, 3)
  two.requests.inc({ code: 'b' }, 4)
  primary.requests.inc({ code: 'b' }, 1)
  one.seconds.observe(0.5)
  two.seconds.observe(1.5)
  two.seconds.observe(9)
  for (const [i, each] of [primary, one, two].entries()) {
    each.open.set(i + 1)
    each.left.set(7 - i)
  }
  t.strictSame(await lines(summed), [
    'requests{code="b"} 5',
    'requests{code="a"} 5',
    'seconds_bucket{le="1"} 1',
    'seconds_bucket{le="2"} 2',
    'seconds_bucket{le="+Inf"} 3',
    'seconds_sum 11',
    'seconds_count 3',
    'open 6',
    'left 5',
  ])
})

t.test('counters of an ended worker still count, its gauges don’t, also after many ends', async (t) => {
  const { one, two, answering, summed } = start()
  one.requests.inc({ code: 'a' }, 2)
  one.seconds.observe(1)
  one.open.set(5)
  two.requests.inc({ code: 'a' }, 1)
  t.ok((await lines(summed)).includes('requests{code="a"} 3'))
  answering.delete(1)
  summed.end(1)
  for (let id = 3; id < 23; id++) {
    const next = someProcess()
    next.requests.inc({ code: 'a' }, 10)
    answering.set(id, next)
    await summed.metrics()
    // After it was asked.
    next.requests.inc({ code: 'a' }, 1_000)
    answering.delete(id)
    summed.end(id)
  }
  const found = await lines(summed)
  for (const line of ['requests{code="a"} 203', 'seconds_count 1', 'open 0', 'left 0']) {
    t.ok(found.includes(line), `${line} in ${found.join(', ')}`)
  }
  t.strictSame(await lines(summed), found, 'also when nothing happens')
})

t.test(
  'a worker that responds late counts with its last values; one that never did doesn’t count',
  async (t) => {
    const { one, two, answering, summed } = start()
    one.requests.inc({ code: 'a' }, 2)
    two.requests.inc({ code: 'a' }, 1)
    answering.delete(2)
    t.ok((await lines(summed)).includes('requests{code="a"} 2'))
    answering.set(2, two)
    t.ok((await lines(summed)).includes('requests{code="a"} 3'))
    answering.clear()
    one.requests.inc({ code: 'a' }, 1)
    t.ok((await lines(summed)).includes('requests{code="a"} 3'))
  },
)

t.test('concurrent scrapes get the same response', async (t) => {
  const { asked, summed } = start()
  const [first, second] = await Promise.all([summed.metrics(), summed.metrics()])
  t.equal(first, second)
  t.equal(asked.times, 1)
  await summed.metrics()
  t.equal(asked.times, 2)
})

t.test('a worker that ends during a scrape counts once, and its gauges don’t', async (t) => {
  const { one, answering, asked, summed } = start()
  one.requests.inc({ code: 'a' }, 2)
  one.open.set(5)
  await summed.metrics()
  one.requests.inc({ code: 'a' }, 1)
  asked.late = () => {
    answering.delete(1)
    summed.end(1)
  }
  const found = await lines(summed)
  t.ok(found.includes('requests{code="a"} 3') && found.includes('open 0'), found.join(', '))
})
