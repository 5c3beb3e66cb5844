/**
 * A client sends its access token to every path, also to a route that ignores tokens. The upstream of that route could
 * use the token against the guarded routes.
 */
import t from 'tap'
import { call, logIn, logInByCookies, startGateway, startUpstream } from '../support/gateway-process.js'
import type { CallOptions } from '../support/gateway-process.js'

const upstream = await startUpstream(t)
const routes = [
  { path: '/open', upstream: upstream.url, auth: 'none' },
  { path: '/kept', upstream: upstream.url, auth: 'none', forwardToken: true },
  { path: '/optional', upstream: upstream.url, auth: 'optional' },
  { path: '/', upstream: upstream.url },
]

for (const from of [['header', 'cookie', 'x-access-token', 'query'], ['cookie'], ['header']]) {
  t.test(`no upstream gets a token of ours, with accept.from: ${from.join(' ')}`, async (t) => {
    const { url } = await startGateway(t, { accept: { from }, routes })
    const { access_token: token } = await logIn(url)
    const cookies = await logInByCookies(url)
    const ways: Record<string, [path: string, options: CallOptions]> = {
      header: ['', { token }],
      'header, other case': ['', { headers: { authorization: `bEARER   ${token}` } }],
      'header, with a tab': ['', { headers: { authorization: `Bearer\t${token}` } }],
      'header, with a tab and spaces': ['', { headers: { authorization: `Bearer \t ${token}` } }],
      'header, second of a list': ['', { headers: { authorization: `Basic YTpi, Bearer ${token}` } }],
      'header, other scheme': ['', { headers: { authorization: `Token ${token}` } }],
      'header, no scheme': ['', { headers: { authorization: token } }],
      'x-access-token': ['', { headers: { 'x-access-token': token } }],
      x_access_token: ['', { headers: { x_access_token: token } }],
      query: [`?a=1&access_token=${token}&b=2`, {}],
      'query, escaped name': [`?%61ccess_token=${token}`, {}],
      'query, with another': [`?access_token=theirs&access_token=${token}`, {}],
      cookie: ['', { cookies }],
      referer: ['', { headers: { referer: `https://x.example/feed?access_token=${token}&a=1` } }],
      'an expired one': ['', { token: expired(token) }],
    }
    const secret = token.split('.')[1]!.slice(0, 40)
    for (const [name, [suffix, options]] of Object.entries(ways)) {
      t.equal((await call(url, 'GET', `/open${suffix}`, options)).status, 200, name)
      const { target, rawHeaders } = upstream.seen.at(-1)!
      t.notMatch(`${target} ${rawHeaders.join(' ')}`, secret, name)
      t.notMatch(rawHeaders.join(' '), /__Host-access/, name)
    }
    await call(url, 'GET', ways['query']![0].replace('?', '/open?'))
    t.equal(upstream.seen.at(-1)!.target, '/open?a=1&b=2', 'the rest of the query stays')
    for (const name of ['header', 'x-access-token', 'query']) {
      const [suffix, options] = ways[name]!
      await call(url, 'GET', `/kept${suffix}`, options)
      const { target, rawHeaders } = upstream.seen.at(-1)!
      t.match(`${target} ${rawHeaders.join(' ')}`, secret, `forwardToken: ${name}`)
    }
  })
}

t.test('a second place that is not read is emptied on guarded routes, too', async (t) => {
  const { url } = await startGateway(t, { routes })
  const { access_token: token } = await logIn(url)
  const headers = { 'x-access-token': token, referer: `https://x.example/?access_token=${token}` }
  for (const path of ['/guarded', '/optional']) {
    t.equal((await call(url, 'GET', `${path}?access_token=${token}`, { token, headers })).status, 200)
    const { target, rawHeaders } = upstream.seen.at(-1)!
    t.notMatch(`${target} ${rawHeaders.join(' ')}`, token.split('.')[1]!.slice(0, 40), path)
  }
})

t.test('credentials that are not ours reach the upstream of an open route', async (t) => {
  const { url } = await startGateway(t, { routes, accept: { from: ['header', 'x-access-token', 'query'] } })
  const foreign = `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')}.e30.c2ln`
  for (const authorization of [
    'Basic YTpi',
    `Bearer ${foreign}`,
    'Bearer opaque',
    'Bearer',
    'Digest x="y"',
  ]) {
    const headers = { authorization, 'x-access-token': foreign, referer: 'https://x.example/?access_token=a' }
    await call(url, 'GET', `/open?access_token=${foreign}`, { headers })
    t.match(upstream.seen.at(-1), { target: `/open?access_token=${foreign}`, headers }, authorization)
  }
})

/** The same token with another payload: its key is ours, nothing else about it is good. */
function expired(token: string): string {
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  return [header, Buffer.from(JSON.stringify({ ...claims, exp: 1 })).toString('base64url'), signature].join(
    '.',
  )
}
