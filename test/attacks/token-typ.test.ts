import t from 'tap'
import { openTokenApp } from '../support/token-app.js'

t.test('a JWT of another type is no access token, even with our signature', async (t) => {
  const app = await openTokenApp(t)
  const types = [
    'JWT',
    'jwt',
    'JOSE',
    'rt+jwt',
    'id+jwt',
    'logout+jwt',
    'dpop+jwt',
    'secevent+jwt',
    'at',
    'at+jws',
    'at jwt',
    '',
    ' ',
    ' at+jwt',
    'at+jwt ',
    'at+jwt\0',
    'at+jwt;v=1',
    'at%2Bjwt',
    'text/at+jwt',
    'application/',
    'аt+jwt',
    'application/application/at+jwt',
    'application//at+jwt',
    '/at+jwt',
    '__proto__',
    undefined,
    null,
    true,
    1,
    ['at+jwt'],
    { toString: 'at+jwt' },
  ]
  for (const typ of types)
    await app.refuses(t, app.forge({ header: { typ } }), 'token_invalid', `typ ${JSON.stringify(typ)}`)
})

t.test('the type may be a media type in any letter case (RFC 9068 §2.1, RFC 7515 §4.1.9)', async (t) => {
  const app = await openTokenApp(t)
  for (const typ of [
    'at+jwt',
    'at+JWT',
    'AT+JWT',
    'application/at+jwt',
    'APPLICATION/AT+JWT',
    'Application/At+Jwt',
  ]) {
    await app.passes(t, app.forge({ header: { typ } }), typ)
  }
})
