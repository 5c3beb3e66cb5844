/** A client of both servers: after a 401 it refreshes and tries again, and if that fails, too, it logs in again. */
import { runClient } from '../run.mjs'

/**
 * @param {object} options
 * @param {string} options.authUrl The auth server.
 * @param {string} options.apiUrl The business server.
 * @param {() => Promise<{ username: string, password: string }>} options.askForPassword Shows the login form.
 */
export function createClient({ authUrl, apiUrl, askForPassword }) {
  let tokens
  let refreshing

  async function post(path, body) {
    const response = await fetch(`${authUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    // The auth server is busy or restarts. That isn't a logout: keep the tokens, and let the caller try later.
    if (response.status >= 500) throw new Error(`POST ${path}: ${response.status}`)
    return response
  }

  async function logIn() {
    const response = await post('/auth/login', await askForPassword())
    if (!response.ok) throw new Error(`the login failed: ${(await response.json()).code}`)
    tokens = await response.json()
    return true
  }

  /** Returns false if the session is over, and a login is needed. */
  async function refresh() {
    if (!tokens) return false
    const response = await post('/auth/refresh', { refresh_token: tokens.refresh_token })
    // Both tokens are new. The old refresh token must not be used again.
    tokens = response.ok ? await response.json() : undefined
    return response.ok
  }

  /** Requests that fail at the same time share one refresh. */
  function renew() {
    refreshing ??= refresh()
      .then((isRefreshed) => isRefreshed || logIn())
      .finally(() => (refreshing = undefined))
    return refreshing
  }

  const send = (path, options) =>
    fetch(`${apiUrl}${path}`, {
      ...options,
      headers: { ...options.headers, ...(tokens && { authorization: `Bearer ${tokens.access_token}` }) },
    })

  return {
    logIn,
    /** The tokens, as this client keeps them. */
    tokens: () => tokens,
    /** Sends a request to the business server. */
    async request(path, options = {}) {
      const response = await send(path, options)
      if (response.status !== 401) return response
      await renew()
      return send(path, options)
    },
    async logOut() {
      await post('/auth/logout', { refresh_token: tokens.refresh_token })
      tokens = undefined
    },
  }
}

const URLS = ['http://127.0.0.1:3000', 'http://127.0.0.1:3001', 'http://127.0.0.1:3002']

/** Logs in, reads the orders of each business server, and logs out. The first URL is that of the auth server. */
async function steps(...urls) {
  const [authUrl, ...apiUrls] = urls.length > 0 ? urls : URLS
  for (const apiUrl of apiUrls) {
    const askForPassword = async () => {
      console.log('  401, so the user logs in')
      return { username: 'ada', password: 'gate-keeper-1843' }
    }
    const client = createClient({ authUrl, apiUrl, askForPassword })
    const show = async (response) => console.log(' ', response.status, await response.text())
    console.log(`GET ${apiUrl}/orders, without a token:`)
    await show(await client.request('/orders'))
    console.log('GET /orders again:')
    await show(await client.request('/orders'))
    console.log('DELETE /orders/7:')
    await show(await client.request('/orders/7', { method: 'DELETE' }))
    const { access_token } = client.tokens()
    console.log('POST /auth/logout, then GET /orders with the old token:')
    await client.logOut()
    await show(await fetch(`${apiUrl}/orders`, { headers: { authorization: `Bearer ${access_token}` } }))
  }
}

await runClient(import.meta.url, steps)
