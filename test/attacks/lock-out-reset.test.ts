/** A guesser who wants a new count of failures for the same account. */
import { createServer } from 'node:http'
import t from 'tap'
import { createCounter } from '../../plugins/rate-limit-counter.js'
import { createLimiters } from '../../src/rate-limit/limiters.js'
import { listen } from '../support/forwarding.js'
import { call, startGateway } from '../support/gateway-process.js'

t.test('failures of 5,300 other names don’t end a lock-out', async (t) => {
  const { limiter } = await createLimiters(
    createCounter,
    { limiter: { namespace: 'test', max: 10, per: 900_000 } },
    undefined,
  )
  for (let n = 0; n < 10; n += 1) await limiter.count('ada')
  for (let n = 0; n < 9; n += 1) await limiter.count('bob')
  for (let n = 0; n < 5_300; n += 1) await limiter.count(`invented ${n}`)
  t.ok((await limiter.waitSeconds('ada')) > 0)
  await limiter.count('bob')
  t.ok((await limiter.waitSeconds('bob')) > 0, 'nor do they reset one that is about to begin')
})

t.test('other spellings that the database of login.http accepts aren’t counted apart', async (t) => {
  const guesses: string[] = []
  const api = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    guesses.push(body)
    response.writeHead(401).end()
  })
  const { url } = await startGateway(t, {
    login: { http: { url: `http://127.0.0.1:${await listen(t, api)}/login`, subject: '/id' } },
    rateLimit: { login: { perAccount: { failures: 3 } } },
  })
  const spellings = [
    'jose',
    'José',
    'JOSÈ',
    'jösé',
    'jõsê',
    'j\u00f8se',
    'jo\u0308se',
    'jose\u200b',
    'ｊｏｓｅ',
  ]
  for (const username of spellings) {
    await call(url, 'POST', '/auth/login', { json: { username, password: 'guess' } })
  }
  t.equal(guesses.length, 3)
})
