/** A client of the API: it refreshes when its access token has expired, but not after a login elsewhere. */
import { runClient } from '../run.mjs'

/** @param {'web' | 'ios' | 'android'} kind */
export function createClient(api, kind) {
  let tokens

  async function send(method, path, body, token) {
    const response = await fetch(api + path, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }

  async function refresh() {
    const answer = await send('POST', '/auth/refresh', { refresh_token: tokens.refresh_token })
    if (answer.status === 200) tokens = answer.body
    return answer
  }

  return {
    get tokens() {
      return tokens
    },
    refresh,
    async login(email, password) {
      const answer = await send('POST', '/login', { email, password, client: kind })
      if (answer.status === 200) tokens = answer.body
      return answer
    },
    async get(path) {
      const answer = await send('GET', path, undefined, tokens?.access_token)
      // Any other 401, such as `signed_in_elsewhere`, needs a login.
      if (answer.status !== 401 || answer.body.code !== 'token_expired') return answer
      const refreshed = await refresh()
      return refreshed.status === 200 ? send('GET', path, undefined, tokens.access_token) : refreshed
    },
  }
}

await runClient(import.meta.url, async (api = 'http://127.0.0.1:3000') => {
  const oldPhone = createClient(api, 'ios')
  const newPhone = createClient(api, 'ios')
  const browser = createClient(api, 'web')

  console.log('old phone', (await oldPhone.login('ada@example.com', 'demo-ada-1843')).body)
  console.log('browser  ', (await browser.login('ada@example.com', 'demo-ada-1843')).status)
  console.log('old phone', (await oldPhone.get('/me')).body)
  console.log('new phone', (await newPhone.login('ada@example.com', 'demo-ada-1843')).status)
  console.log('old phone', (await oldPhone.get('/me')).body.code)
  console.log('old phone', (await oldPhone.refresh()).body.code)
  console.log('new phone', (await newPhone.get('/me')).status, '· browser', (await browser.get('/me')).status)
})
