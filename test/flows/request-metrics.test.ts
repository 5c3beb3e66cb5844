/** The metrics of requests, upstreams and the build, as an operator scrapes them. */
import fastify from 'fastify'
import { Registry } from 'prom-client'
import t from 'tap'
import portcullis from '../../src/index.js'
import { RequestHistogram } from '../../src/request-histogram.js'
import { freePort } from '../support/free-port.js'
import {
  call,
  home,
  logIn,
  sharedSettings,
  soon,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

t.test('requests are counted by configured route and outcome, never by the path of a client', async (t) => {
  const upstream = await startUpstream(t)
  const { url, adminUrl } = await startGateway(t, {
    admin: { port: 0 },
    routes: [
      { path: '/items', upstream: upstream.url },
      { path: '/open', upstream: [upstream.url, `http://127.0.0.1:${await freePort()}`], auth: 'none' },
    ],
  })
  const { access_token: token } = await logIn(url)
  for (const id of ['1', '2', '3']) t.equal((await call(url, 'GET', `/items/${id}`, { token })).status, 200)
  t.equal((await call(url, 'GET', '/items/4')).status, 401)
  t.equal((await call(url, 'GET', '/nowhere/secret')).status, 404)
  for (let i = 0; i < 3; i += 1) t.equal((await call(url, 'GET', '/open')).status, 200)
  const text = await soon('all are counted', async () => {
    const scraped = (await call(adminUrl!, 'GET', '/metrics')).text
    return scraped.includes('portcullis_request_duration_seconds_count{route="none",outcome="4xx"}')
      ? scraped
      : undefined
  })
  const count = (route: string, outcome: string) =>
    new RegExp(
      `^portcullis_request_duration_seconds_count\\{route="${route}",outcome="${outcome}"\\} (\\d+)$`,
      'm',
    ).exec(text)?.[1]
  t.equal(count('/items', '2xx'), '3')
  t.equal(count('/items', '4xx'), '1')
  t.equal(count('/open', '2xx'), '3')
  t.equal(count('none', '4xx'), '1')
  t.equal(count('/auth/login', '2xx'), '1')
  t.notMatch(text, /secret|items\/1/)
  t.match(text, /^portcullis_request_duration_seconds_bucket\{le="\+Inf",route="\/items",outcome="2xx"\} 3$/m)
  t.match(
    text,
    /^portcullis_request_duration_seconds_sum\{route="\/items",outcome="2xx"\} [^0]*0?\.?[\d.e-]*[1-9]/m,
  )
  t.match(text, /^# TYPE portcullis_request_duration_seconds histogram$/m)
  t.match(text, new RegExp(`^portcullis_upstream_up\\{origin="${upstream.url}"\\} 1$`, 'm'))
  t.match(text, /^portcullis_upstream_up\{origin="[^"]+"\} 0$/m, 'the server that refuses connections')
  t.match(text, /^portcullis_build_info\{version="\d+\.\d+\.\d+[^"]*",node="v\d+[^"]+"\} 1$/m)
  t.match(text, /^process_cpu_seconds_total /m, 'the names that dashboards know')
  t.notMatch(text, /portcullis_process_|portcullis_nodejs_/)
})

t.test('a host gets the registry, and merges it with its own', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, sharedSettings(await home(t)))
  await app.portcullis.issue({ sub: 'u1' })
  const text = await Registry.merge([new Registry(), app.portcullis.metrics]).metrics()
  t.match(text, /^portcullis_events_total\{event="login"\} 1$/m)
  t.match(text, /^portcullis_build_info\{/m)
  t.notMatch(text, /^process_/m, 'process metrics are the host’s')
})

t.test('a duration is in each bucket that is at least as long', async (t) => {
  const histogram = new RequestHistogram()
  for (const seconds of [0.001, 0.005, 0.006, 9, 11]) histogram.observe('/a', '2xx', seconds)
  const { values } = histogram.get()
  const bucket = (le: number | string) => values.find(({ labels }) => labels['le'] === le)?.value
  t.strictSame([0.005, 0.01, 5, 10, '+Inf'].map(bucket), [2, 3, 3, 4, 5])
  t.equal(values.find(({ metricName }) => metricName.endsWith('_count'))?.value, 5)
  t.ok(Math.abs(values.find(({ metricName }) => metricName.endsWith('_sum'))!.value - 20.012) < 1e-9)
})
