import t from 'tap'
import { clearCookies, cookieNames, cookieValues, setCookies } from '../../src/token/token-cookies.js'

const NAME = '__Host-access'
const secure = { enabled: true, secure: true }
const plain = { enabled: true, secure: false }

const cases: [name: string, header: string | undefined, values: string[]][] = [
  ['no header', undefined, []],
  ['an empty header', '', []],
  ['one cookie', `${NAME}=a`, ['a']],
  ['one among others', `a=1; ${NAME}=b; c=3`, ['b']],
  ['no space between', `a=1;${NAME}=b;c=3`, ['b']],
  ['spaces and tabs around', `a=1; \t ${NAME}\t =\t b \t;c=3`, ['b']],
  ['two', `${NAME}=a; ${NAME}=b`, ['a', 'b']],
  ['two equal', `${NAME}=a; ${NAME}=a`, ['a', 'a']],
  ['an empty one', `${NAME}=`, ['']],
  ['a value with =', `${NAME}=a=b==`, ['a=b==']],
  ['quotes, which are part of the value', `${NAME}="a"`, ['"a"']],
  ['no value', `${NAME}`, []],
  ['another case', '__host-access=a; __HOST-ACCESS=b', []],
  ['a longer name', `${NAME}2=a; x${NAME}=b`, []],
  ['the name in another’s value', `x=${NAME}=a; y="${NAME}=b"`, []],
  ['no name, our name in its value', `=${NAME}=a`, []],
  ['no name, behind a space', ` =${NAME}=a`, []],
  ['an encoded name', '%5F%5FHost-access=a', []],
  ['a no-break space before the name', `\u00A0${NAME}=a`, []],
  ['a no-break space before the name, as UTF-8', `\u00C2\u00A0${NAME}=a`, []],
  ['a form feed before the name', `\f${NAME}=a`, []],
  ['a vertical tab after the name', `${NAME}\v=a`, []],
  ['a comma for a semicolon', `x=1, ${NAME}=a`, []],
]
for (const [name, header, values] of cases) {
  t.test(`${name} gives ${values.length} value(s)`, async (t) =>
    t.strictSame(cookieValues(header, NAME), values),
  )
}

t.test('a long header takes linear time', async (t) => {
  const begin = performance.now()
  for (const filler of [' ', '\t', ';', '=', `${NAME} `, `${NAME}=;`]) {
    cookieValues(`${NAME}${filler.repeat(100_000 / filler.length)}x`, NAME)
  }
  t.ok(performance.now() - begin < 500)
})

t.test('with TLS the names bind the cookies to this host', async (t) => {
  t.strictSame(cookieNames(secure), { access: '__Host-access', refresh: '__Secure-refresh' })
  t.strictSame(cookieNames(plain), { access: 'access', refresh: 'refresh' })
})

t.test('cookies have the attributes that their prefixes demand, and HttpOnly', async (t) => {
  const [access, refresh] = setCookies(
    secure,
    '/auth',
    { value: 'a', maxAge: 900 },
    { value: 'r', maxAge: 60 },
  )
  t.equal(access, '__Host-access=a; Max-Age=900; Path=/; HttpOnly; SameSite=Lax; Secure')
  t.equal(refresh, '__Secure-refresh=r; Max-Age=60; Path=/auth; HttpOnly; SameSite=Lax; Secure')
  t.notMatch(access, /domain/i, '__Host- allows none')
})

t.test('over plain http the names have no prefix', async (t) => {
  t.strictSame(setCookies(plain, '/x', { value: 'a', maxAge: 900 }, { value: 'r', maxAge: 60 }), [
    'access=a; Max-Age=900; Path=/; HttpOnly; SameSite=Lax',
    'refresh=r; Max-Age=60; Path=/x; HttpOnly; SameSite=Lax',
  ])
})

t.test('cookies are deleted with the names and paths that they were set with', async (t) => {
  t.strictSame(clearCookies(secure, '/auth'), [
    '__Host-access=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure',
    '__Secure-refresh=; Max-Age=0; Path=/auth; HttpOnly; SameSite=Lax; Secure',
  ])
})
