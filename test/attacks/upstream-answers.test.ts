/**
 * An upstream, or who speaks through it, splits answers, frames them twice, or sends more of them than it was asked
 * for.
 */
import t from 'tap'
import type { Test } from 'tap'
import { rawUpstream } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'

/** A gateway before an upstream that answers by these bytes, by path, and everything else by `good`. */
async function before(t: Test, answers: Readonly<Record<string, string>>) {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (!seen.endsWith('\r\n\r\n')) return
    const [, path = ''] = [...seen.matchAll(/(?:GET|HEAD) (\/\S*) HTTP/g)].at(-1) ?? []
    socket.write(Buffer.from(answers[path] ?? GOOD, 'latin1'))
  })
  const timeouts = { connect: '1s', headers: '1s', body: '1s' }
  const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
  const { url } = await startGateway(t, { routes, timeouts })
  const port = Number(new URL(url).port)
  const ask = (path: string, method = 'GET') =>
    send(port, head(`${method} ${path} HTTP/1.1`, 'Host: x', 'Connection: close'))
  return { ask, port }
}

/** The same with an answer for each name, under a path of its own. */
async function beforeAll(t: Test, answers: Readonly<Record<string, string>>) {
  const names = Object.keys(answers)
  const path = (name: string) => `/${names.indexOf(name)}`
  const { ask } = await before(t, Object.fromEntries(names.map((name) => [path(name), answers[name]!])))
  return Promise.all(names.map(async (name) => ({ name, ...(await ask(path(name))) })))
}

const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nSet-Cookie: evil=1\r\n\r\nevil'

const BAD: Record<string, string> = {
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 90\r\n\r\nok',
  'two lengths in one': 'HTTP/1.1 200 OK\r\nContent-Length: 2, 90\r\n\r\nok',
  'a length and chunks': `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${EVIL}`,
  'chunks and a length': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n${EVIL}`,
  'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok',
  'a length with a sign': 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok',
  'a length in hexadecimals': 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok',
  'a length too large': 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok',
  'a folded length': 'HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok',
  'a blank before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok',
  'LF for CR LF': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  'CR for CR LF': 'HTTP/1.1 200 OK\rContent-Length: 2\r\rok',
  'CR in a value': 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok',
  'NUL in a value': 'HTTP/1.1 200 OK\r\nX: a\0evil\r\nContent-Length: 2\r\n\r\nok',
  'CR in the reason': 'HTTP/1.1 200 OK\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok',
  'a name with a blank': 'HTTP/1.1 200 OK\r\nX evil: y\r\nContent-Length: 2\r\n\r\nok',
  'no number': 'HTTP/1.1 evil OK\r\nContent-Length: 2\r\n\r\nok',
  'four digits': 'HTTP/1.1 2000 evil\r\nContent-Length: 2\r\n\r\nok',
  'two digits': 'HTTP/1.1 20 evil\r\nContent-Length: 2\r\n\r\nok',
  'an odd version': 'HTTP/3.7 200 evil\r\nContent-Length: 2\r\n\r\nok',
  'an unasked upgrade':
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: Upgrade\r\n\r\nevil',
  'HTTP/0.9': 'evil\r\n\r\n',
  'a bad chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nevil\r\nok\r\n0\r\n\r\n',
  'another coding': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, evil\r\n\r\n0\r\n\r\n`,
}

t.test(
  'a response that two parsers could read differently is 502 or cut, and no part becomes a header',
  async (t) => {
    for (const { name, text, statuses } of await beforeAll(t, BAD)) {
      t.notMatch(text, /^set-cookie/im, name)
      t.notMatch(text.slice(0, text.indexOf('\r\n\r\n')), /evil/, `${name}: nothing of it in the head`)
      const isCut = /transfer-encoding: chunked/i.test(text) && !text.endsWith('0\r\n\r\n')
      t.ok(statuses.join() === '502' || isCut, `${name}: ${JSON.stringify(text.slice(0, 200))}`)
    }
  },
)

t.test('an unusual reason phrase is replaced', async (t) => {
  const reasons = ['O\x01evil', 'caf\xe9 evil', '\x7fevil', '\xa0evil']
  const answers = reasons.map((reason) => [reason, `HTTP/1.1 200 ${reason}\r\nContent-Length: 2\r\n\r\nok`])
  for (const { name, text } of await beforeAll(t, Object.fromEntries(answers))) {
    t.match(text, /^HTTP\/1\.1 (200 OK|502 (?!.*evil)[ -~]*)\r\n/, JSON.stringify(name))
  }
})

t.test('an unrequested response is nobody’s', async (t) => {
  for (const first of [
    GOOD + EVIL,
    `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`,
    `HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n${EVIL}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n${EVIL}`,
    `${GOOD}evil`,
  ]) {
    const { ask, port } = await before(t, { '/first': first })
    const one = await ask('/first')
    const others = await Promise.all([ask('/second'), ask('/third')])
    const two = head('GET /a HTTP/1.1', 'Host: x') + head('GET /b HTTP/1.1', 'Host: x', 'Connection: close')
    for (const { text } of [one, ...others, await send(port, two)]) {
      t.notMatch(text, 'evil', JSON.stringify(first.slice(0, 60)))
    }
    for (const { text } of others) t.match(text, /good$/)
  }
})

t.test('HEAD, 204 and 304 have no body', async (t) => {
  for (const [method, status] of [
    ['HEAD', '200 OK'],
    ['GET', '204 No Content'],
    ['GET', '304 Not Modified'],
  ] as const) {
    const { ask } = await before(t, { '/': `HTTP/1.1 ${status}\r\nContent-Length: 4\r\n\r\nevil` })
    const { text } = await ask('/', method)
    t.match(text, new RegExp(`^HTTP/1.1 ${status.slice(0, 3)} `))
    t.match(text, /\r\n\r\n$/, `${method} ${status}`)
  }
})

t.test('endless heads: too large, too many', async (t) => {
  const results = await beforeAll(t, {
    'one header': `HTTP/1.1 200 OK\r\nX: ${'evil'.repeat(50_000)}\r\n\r\n`,
    'many headers': `HTTP/1.1 200 OK\r\n${'X: evil\r\n'.repeat(20_000)}\r\n`,
  })
  for (const { name, statuses, text } of results) {
    t.match(statuses.join(), /^50[24]$/, name)
    t.notMatch(text, 'evil')
  }
})

t.test('endless interim responses: a few pass, then a timeout', async (t) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'.repeat(5000)
  const { ask } = await before(t, { '/': hints })
  const { statuses } = await ask('/')
  t.strictSame(statuses.slice(0, -1), Array<number>(8).fill(103))
  t.match(String(statuses.at(-1)), /^50[24]$/)
})

t.test('hop-by-hop headers and trailers of a response are removed', async (t) => {
  const hop = [
    'Connection: close, X-Secret',
    'X-Secret: evil',
    'Keep-Alive: evil',
    'Proxy-Authenticate: evil',
  ]
  const more = ['Upgrade: evil', 'Trailer: Set-Cookie', 'TE: evil', 'Transfer-Encoding: chunked']
  const trailers = ['Set-Cookie: __Host-access=evil', 'Content-Length: 999', 'Location: //evil', 'X-Sum: 1']
  const chunks = '2\r\nok\r\n0\r\n' + trailers.join('\r\n') + '\r\n\r\n'
  const { ask } = await before(t, { '/': head('HTTP/1.1 200 OK', ...hop, ...more) + chunks })
  const { statuses, text } = await ask('/')
  t.strictSame(statuses, [200])
  t.notMatch(text, /evil|999/)
})
