/** Applications with many or long cookies and policies send large response heads. */
import t from 'tap'
import { call, isRefused, startGateway, startUpstream } from '../support/gateway-process.js'
import { send } from '../support/wire.js'

t.test('a response head passes up to limits.responseHeaders, 64 kB by default', async (t) => {
  const big = await startUpstream(t, { 'x-big': 'a'.repeat(12_000), 'x-more': 'b'.repeat(12_000) })
  const huge = await startUpstream(t, { 'x-huge': 'a'.repeat(70_000) })
  const routes = [
    { path: '/big', upstream: big.url, auth: 'none' },
    { path: '/huge', upstream: huge.url, auth: 'none' },
  ]
  const { url } = await startGateway(t, { routes })
  // undici reads no head that is so large.
  const { text } = await send(
    Number(new URL(url).port),
    'GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  )
  t.match(text, /^HTTP\/1\.1 200 /)
  t.match(text, /x-more: b{12000}\r\n/)
  isRefused(t, await call(url, 'GET', '/huge'), 502, 'upstream_unavailable')

  const small = await startGateway(t, { routes, limits: { responseHeaders: '8kb' } })
  isRefused(t, await call(small.url, 'GET', '/big'), 502, 'upstream_unavailable')
})
