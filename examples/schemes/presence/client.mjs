/** A client of the API that waits until somebody deletes its session in Redis. */
import { setTimeout as sleep } from 'node:timers/promises'
import { runClient } from '../run.mjs'

export function createClient(api) {
  let tokens

  async function send(method, path, body) {
    const response = await fetch(api + path, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(tokens && { authorization: `Bearer ${tokens.access_token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text && JSON.parse(text) }
  }

  /** Sends a request that returns tokens, and keeps them. */
  async function obtain(path, body) {
    const answer = await send('POST', path, body)
    if (answer.status === 200) tokens = answer.body
    return answer
  }

  return {
    get tokens() {
      return tokens
    },
    login: (username, password) => obtain('/auth/login', { username, password }),
    refresh: () => obtain('/auth/refresh', { refresh_token: tokens.refresh_token }),
    orders: () => send('GET', '/orders'),
    logout: () => send('POST', '/auth/logout'),
  }
}

await runClient(import.meta.url, async (api = 'http://127.0.0.1:3000') => {
  const client = createClient(api)
  await client.login('ada', 'demo-ada-1843')
  console.log('orders', await client.orders())
  console.log(
    `\nLog this session out by hand:\n\n  redis-cli DEL portcullis:session:${client.tokens.session_id}\n`,
  )

  // Without a terminal, nobody is there to read that.
  const seconds = process.stdin.isTTY ? 60 : 0
  let answer = await client.orders()
  for (let second = 0; second < seconds && answer.status === 200; second += 1) {
    await sleep(1000)
    answer = await client.orders()
  }
  console.log('orders', answer.status, answer.body.code ?? 'still good')
  if (answer.status === 200) console.log('logout', (await client.logout()).status)
  else console.log('refresh', (await client.refresh()).body.code)
  console.log('orders', (await client.orders()).body.code)
})
