import t from 'tap'
import { isRefusal, openTokenApp } from '../support/token-app.js'

const COOKIE = '__Host-access'

t.test(
  'two access tokens in one request are refused, equal or not, valid or not (RFC 6750 §2)',
  async (t) => {
    const app = await openTokenApp(t)
    const { token } = app
    const other = app.forge({ claims: { sub: 'mallory' } })
    const pairs = { equal: token, different: other, bad: 'garbage', empty: '' }
    for (const [name, second] of Object.entries(pairs)) {
      const lines = {
        'two headers': [`Authorization: Bearer ${token}`, `Authorization: Bearer ${second}`],
        'two headers, the other first': [`Authorization: Bearer ${second}`, `authorization: bearer ${token}`],
        'two headers with others between': [
          `Authorization: Bearer ${token}`,
          'X-A: 1',
          `AUTHORIZATION: Bearer ${second}`,
        ],
        'header and cookie': [`Authorization: Bearer ${token}`, `Cookie: ${COOKIE}=${second}`],
        'cookie and header': [`Cookie: a=b; ${COOKIE}=${second}`, `Authorization: Bearer ${token}`],
        'two cookies': [`Cookie: ${COOKIE}=${token}; ${COOKIE}=${second}`],
        'two cookies without a space': [`Cookie: ${COOKIE}=${second};${COOKIE}=${token}`],
        'two cookie headers': [`Cookie: ${COOKIE}=${token}`, `Cookie: ${COOKIE}=${second}`],
        'three tokens': [`Authorization: Bearer ${token}`, `Cookie: ${COOKIE}=${token}; ${COOKIE}=${second}`],
      }
      for (const [how, sent] of Object.entries(lines)) {
        isRefusal(t, await app.send(sent), 'credentials_ambiguous', `${how}, ${name}`, `${token}.${second}`)
      }
    }
    t.equal((await app.send([`Authorization: Bearer ${token}`])).status, 200, 'one header')
    t.equal((await app.send([`Cookie: a=b; ${COOKIE}=${token}`])).status, 200, 'one cookie')
    t.equal(
      (await app.send(['Authorization: Basic YTpi', `Cookie: ${COOKIE}=${token}`])).status,
      200,
      'another scheme beside',
    )
  },
)

t.test('two tokens in one header are malformed', async (t) => {
  const app = await openTokenApp(t)
  const { token } = app
  for (const value of [
    `${token}, Bearer ${token}`,
    `${token},${token}`,
    `${token} ${token}`,
    `${token}; ${token}`,
  ]) {
    isRefusal(
      t,
      await app.send([`Authorization: Bearer ${value}`]),
      'token_malformed',
      value.replaceAll(token, 'T'),
      token,
    )
  }
})

t.test('a cookie that a sibling site set without the prefix is ignored', async (t) => {
  const app = await openTokenApp(t)
  const planted = app.forge({ claims: { sub: 'mallory' } })
  const names = [
    `\u00A0${COOKIE}`,
    `\u00C2\u00A0${COOKIE}`,
    `=${COOKIE}`,
    '__host-access',
    '__HOST-ACCESS',
    'access',
    '__Secure-access',
  ]
  for (const name of names) {
    isRefusal(
      t,
      await app.send([`Cookie: ${name}=${planted}`]),
      'credentials_missing',
      JSON.stringify(name),
      planted,
    )
    const beside = await app.send([`Cookie: ${name}=${planted}; ${COOKIE}=${app.token}`])
    t.match(
      { status: beside.status, sub: JSON.parse(beside.body).sub },
      { status: 200, sub: 'alice' },
      'ours counts alone',
    )
  }
})
