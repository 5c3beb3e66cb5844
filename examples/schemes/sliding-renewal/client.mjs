/** A client that has one token, and replaces it by the one that a response brings. */
import { runClient } from '../run.mjs'

/**
 * @param {string} baseUrl The URL of the server.
 * @param {{ onSignedOut?: (code: string) => void }} [options] `onSignedOut` shows the login page. `code` says why.
 */
export function createClient(baseUrl, { onSignedOut = () => {} } = {}) {
  let token

  async function request(path, { headers, ...options } = {}) {
    const sent = token
    const authorization = sent === undefined ? {} : { authorization: `Bearer ${sent}` }
    const response = await fetch(new URL(path, baseUrl), {
      ...options,
      headers: { ...headers, ...authorization },
    })
    // A late response must not replace the token of a later login.
    if (sent === undefined || token !== sent) return response
    token = response.headers.get('x-renewed-access-token') ?? token
    if (response.status === 401) {
      token = undefined
      const { code } = await response.clone().json()
      onSignedOut(code)
    }
    return response
  }

  async function login(username, password) {
    token = undefined
    const response = await request('/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    })
    const body = await response.json()
    if (response.ok) token = body.access_token
    return body
  }

  /** When it returns 204, no server accepts the token any more. */
  const logout = () => request('/auth/logout', { method: 'POST' })

  return { login, request, logout }
}

await runClient(import.meta.url, async (url = 'http://127.0.0.1:3000') => {
  const client = createClient(url, { onSignedOut: (code) => console.log(`please log in: ${code}`) })
  console.log('login', await client.login('ada', 'gate-keeper-1843'))
  console.log('profile', await (await client.request('/profile')).json())
  console.log('logout', (await client.logout()).status)
  console.log('profile', (await client.request('/profile')).status)
})
