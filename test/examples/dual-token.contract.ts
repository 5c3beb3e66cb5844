/** What the mini-programme of `examples/schemes/dual-token` sees, with each store. */
import type { Test } from 'tap'
import { decode } from '../support/access-tokens.js'
import { soon } from '../support/gateway-process.js'
import { ADA, startDualToken as start } from '../support/mini-programme.js'
import type { EnvelopeResponse } from '../support/mini-programme.js'
import { DAY, MINUTE, SECOND } from '../support/moved-time.js'

const USER = { statusCode: 200, data: { code: 0, message: 'ok', data: { name: 'ada' } } }
const claimsOf = ({ data }: Pick<EnvelopeResponse, 'data'>) =>
  decode(String(data.data?.['access_token']).split('.')[1])
const failure = (code: number, message: string | RegExp) => ({
  statusCode: code,
  data: { code, message, data: null },
})

export function dualTokenContract(t: Test, store: () => Promise<string>, options: object = {}): void {
  t.test('a login has an envelope, and tokens of 30 minutes and 7 days', options, async (t) => {
    const { open, get } = await start(t, await store())
    const phone = open()
    t.match(await phone.login(), {
      statusCode: 200,
      data: {
        code: 0,
        message: 'ok',
        data: { token_type: 'Bearer', expires_in: 1_800, refresh_expires_in: 604_800 },
      },
    })
    t.strictSame(await phone.user(), USER)
    t.match(
      await phone.login({ ...ADA, password: 'x' }),
      failure(401, 'The username or the password is wrong'),
    )
    t.match(await phone.login({}), failure(400, 'The request is not valid'))
    t.match(await get('/user'), failure(401, 'The request has no access token'))
    t.match(await get('/user', 'x'), failure(401, 'The access token is malformed'))
    t.match(await get('/refresh'), failure(400, 'The request has no refresh token'))
    t.match(await open().logout(), failure(400, 'The request is not valid'), 'the storage has empty texts')
    t.same(phone.pages, [])
  })

  t.test(
    'GET /refresh returns two new tokens, and its response isn’t stored by caches',
    options,
    async (t) => {
      const { open, get } = await start(t, await store())
      const phone = open()
      await phone.login()
      const first = { access_token: phone.access(), refresh_token: phone.refresh() }
      const { statusCode, data, headers } = await get(`/refresh?refresh_token=${first.refresh_token}`)
      t.equal(statusCode, 200)
      t.equal(headers.get('cache-control'), 'no-store')
      t.match(data, { code: 0, message: 'ok', data: { expires_in: 1_800, refresh_expires_in: 604_800 } })
      t.not(data.data!['access_token'], first.access_token)
      t.not(data.data!['refresh_token'], first.refresh_token)
      const again = await get(`/refresh?refresh_token=${first.refresh_token}`)
      t.equal(
        again.data.data!['refresh_token'],
        data.data!['refresh_token'],
        'a lost response can be repeated',
      )
      t.same(claimsOf(again), claimsOf({ data }))
    },
  )

  t.test(
    'an expired token is refreshed once for all requests, which are then repeated',
    options,
    async (t) => {
      const { open, move } = await start(t, await store())
      const phone = open()
      await phone.login()
      const old = phone.access()
      await move(30 * MINUTE - 1 * MINUTE)
      t.strictSame(await phone.user(), USER)
      t.equal(phone.access(), old)
      await move(1 * MINUTE)
      phone.sent.length = 0
      t.strictSame(await Promise.all([phone.user(), phone.user(), phone.user()]), [USER, USER, USER])
      t.not(phone.access(), old)
      t.equal(phone.sent.filter((path) => path === '/refresh').length, 1)
      t.same(phone.pages, [])

      await move(7 * DAY - 1 * MINUTE)
      t.strictSame(await phone.user(), USER, 'each refresh gives 7 more days')
      await move(7 * DAY)
      t.match(await phone.user(), { statusCode: 401 })
      t.same(phone.pages, ['/pages/login/login'])
      t.equal(phone.refresh(), '')
    },
  )

  t.test('a refusal that arrives after the refresh causes no second refresh', options, async (t) => {
    const { open, move } = await start(t, await store())
    const phone = open()
    await phone.login()
    await move(30 * MINUTE)
    const { request } = phone.wx
    let deliver: (() => void) | undefined
    phone.wx.request = (given) => {
      phone.wx.request = request
      request({ ...given, success: (response) => (deliver = () => given.success?.(response)) })
    }
    const slow = phone.user()
    t.strictSame(await phone.user(), USER)
    const late = await soon('the first response arrives', () => deliver)
    late()
    t.strictSame(await slow, USER)
    t.equal(phone.sent.filter((path) => path === '/refresh').length, 1)
  })

  t.test(
    'a lost response of a refresh costs nothing, because the next refresh repeats it',
    options,
    async (t) => {
      const { open, move } = await start(t, await store())
      const phone = open()
      await phone.login()
      await move(30 * MINUTE)
      const { request } = phone.wx
      phone.wx.request = (given) => {
        if (!given.url!.endsWith('/refresh')) return request(given)
        phone.wx.request = request
        request({ ...given, success: () => given.fail?.({ errMsg: 'request:fail timeout' }) })
      }
      t.match(await phone.user(), { statusCode: 401 })
      t.same(phone.pages, [], 'the login page isn’t opened')
      t.strictSame(await phone.user(), USER)
      t.same(phone.sent, ['/login', '/user', '/refresh', '/user', '/refresh', '/user'])
    },
  )

  t.test('a stolen refresh token ends the session for both', options, async (t) => {
    const { open, get, move } = await start(t, await store())
    const phone = open()
    await phone.login()
    const stolen = phone.refresh()
    await move(30 * MINUTE)
    t.strictSame(await phone.user(), USER)
    await move(10 * SECOND)
    t.match(await get(`/refresh?refresh_token=${stolen}`), failure(401, 'The refresh token was used before'))
    t.match(await phone.user(), failure(401, 'The session has ended'))
    t.same(phone.pages, ['/pages/login/login'])
  })

  t.test('after 100 refreshes a login is needed', options, async (t) => {
    const { open, get } = await start(t, await store())
    const phone = open()
    await phone.login()
    let token: unknown = phone.refresh()
    for (let i = 0; i < 100; i += 1) {
      const { data } = await get(`/refresh?refresh_token=${String(token)}`)
      token = data.data?.['refresh_token']
    }
    t.type(token, 'string')
    const refused = await get(`/refresh?refresh_token=${String(token)}`)
    t.match(refused, failure(401, 'The session has reached its refresh limit'))
    t.equal((await phone.login()).statusCode, 200)
  })

  t.test('a logout ends both tokens, on one phone only', options, async (t) => {
    const { open, get } = await start(t, await store())
    const [phone, tablet] = [open(), open()]
    await phone.login()
    await tablet.login()
    const [access, refresh] = [phone.access(), phone.refresh()]
    t.match(await phone.logout(), { statusCode: 200, data: { code: 0, data: null } })
    const ended = failure(401, 'The session has ended')
    t.match(await get('/user', access), ended)
    t.match(await get(`/refresh?refresh_token=${refresh}`), ended)
    t.match(await phone.user(), ended)
    t.same(phone.pages, ['/pages/login/login'])
    t.strictSame(await tablet.user(), USER)
  })

  t.test('a changed password ends both tokens of every phone of its user', options, async (t) => {
    const { open, get, setPassword } = await start(t, await store())
    const [phone, tablet, bob] = [open(), open(), open()]
    await phone.login()
    await tablet.login()
    await bob.login({ username: 'bob', password: 'demo-bob-1066' })
    await setPassword('another-demo-1844')
    const ended = failure(401, 'The session has ended')
    t.match(await get(`/refresh?refresh_token=${phone.refresh()}`), ended, 'a refresh sees it at once')
    await soon('the access tokens end', async () => (await get('/user', tablet.access())).statusCode === 401)
    for (const { access, refresh } of [phone, tablet]) {
      t.match(await get('/user', access()), ended)
      t.match(await get(`/refresh?refresh_token=${refresh()}`), ended)
    }
    t.equal((await bob.user()).statusCode, 200)
    t.match(await phone.login(), failure(401, 'The username or the password is wrong'))
    t.equal((await phone.login({ ...ADA, password: 'another-demo-1844' })).statusCode, 200)
    t.strictSame(await phone.user(), USER)
  })

  t.test('guesses are limited, although the login route is the application’s own', options, async (t) => {
    const { open } = await start(t, await store())
    const [guesser, bob] = [open(), open()]
    for (let i = 0; i < 10; i += 1)
      t.equal((await guesser.login({ ...ADA, password: `guess ${i}` })).statusCode, 401)
    t.match(await guesser.login(), failure(429, 'Too many requests'))
    t.equal((await bob.login({ username: 'bob', password: 'demo-bob-1066' })).statusCode, 200)
  })
}
