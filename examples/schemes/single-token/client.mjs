/** A client that has one token, and exchanges it when a response says that it has expired. */
import { runClient } from '../run.mjs'

/**
 * @param {string} baseUrl The URL of the server.
 * @param {{ onSignedOut?: (code: string) => void }} [options] `onSignedOut` shows the login page. `code` says why.
 */
export function createClient(baseUrl, { onSignedOut = () => {} } = {}) {
  let token
  /** The exchange in progress. Requests that meet an expired token at the same time wait for the same one. */
  let exchange

  function send(path, { headers, ...options } = {}) {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return fetch(new URL(path, baseUrl), { ...options, headers: { ...headers, ...authorization } })
  }

  /** Keeps the token of a response, and returns the body. */
  async function keep(response) {
    const body = await response.json()
    if (response.ok) token = body.access_token
    return body
  }

  async function login(username, password) {
    const response = await send('/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    })
    return keep(response)
  }

  function signOut(code) {
    token = undefined
    onSignedOut(code)
  }

  /** Exchanges the token, expired or not, for the next one. */
  async function renew() {
    const response = await send('/auth/renew', { method: 'POST' })
    const body = await keep(response)
    // Only a 401 is final. After another error, the same token can be sent again.
    if (response.status === 401) signOut(body.code)
    return body
  }

  /** Sends a request, and once again with the next token if the first one has expired. */
  async function request(path, options) {
    const sent = token
    const response = await send(path, options)
    if (response.status !== 401) return response
    const { code } = await response.clone().json()
    if (code === 'token_expired') {
      // Another request may have exchanged the token already.
      if (token === sent) await (exchange ??= renew().finally(() => (exchange = undefined)))
      if (token !== undefined && token !== sent) return send(path, options)
    } else if (token === sent) signOut(code)
    return response
  }

  /** When it returns 204, no server accepts the token any more. */
  const logout = () => send('/auth/logout', { method: 'POST' })

  return { login, renew, request, logout }
}

await runClient(import.meta.url, async (url = 'http://127.0.0.1:3000') => {
  const client = createClient(url, { onSignedOut: (code) => console.log(`please log in: ${code}`) })
  console.log('login', await client.login('ada', 'gate-keeper-1843'))
  console.log('profile', await (await client.request('/profile')).json())
  console.log('exchange', await client.renew())
  console.log('profile', await (await client.request('/profile')).json())
  console.log('logout', (await client.logout()).status)
  console.log('profile', await (await client.request('/profile')).json())
  console.log('exchange', await client.renew())
})
