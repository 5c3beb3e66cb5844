/** Both sides of a web authorisation: the page on which a signed-in user allows it, and the site that gets tokens. */
import { createHash, randomBytes } from 'node:crypto'
import { runClient } from '../run.mjs'

async function send(url, { token, json, form } = {}) {
  const type = json ? 'application/json' : 'application/x-www-form-urlencoded'
  const response = await fetch(url, {
    method: json || form ? 'POST' : 'GET',
    headers: {
      ...((json || form) && { 'content-type': type }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: json ? JSON.stringify(json) : form && new URLSearchParams(form),
  })
  const text = await response.text()
  return { status: response.status, body: text && JSON.parse(text) }
}

/** The page of the server on which users sign in, and allow a site to act for them. */
export function createPage(server) {
  let token
  return {
    async login(username, password) {
      const answer = await send(`${server}/auth/login`, { json: { username, password } })
      token = answer.body.access_token
      return answer
    },
    /** Returns the code with which the page sends the browser back to the site: `https://site/callback?code=…`. */
    allow: (request) => send(`${server}/auth/codes`, { token, json: request }),
    profile: () => send(`${server}/profile`, { token }),
    logout: (options = {}) => send(`${server}/auth/logout`, { token, json: options }),
  }
}

/** The back end of another site. */
export function createSite(server, clientId) {
  const verifier = randomBytes(32).toString('base64url')
  let tokens = {}

  async function getTokens(form) {
    const answer = await send(`${server}/auth/token`, { form })
    if (answer.status === 200) tokens = answer.body
    return answer
  }

  return {
    /** The parameters that the site passes to the page in the query of the link. The verifier stays here (PKCE, RFC 7636). */
    request: {
      client_id: clientId,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    },
    exchange: (code) =>
      getTokens({ grant_type: 'authorization_code', code, code_verifier: verifier, client_id: clientId }),
    refresh: () => getTokens({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
    profile: () => send(`${server}/profile`, { token: tokens.access_token }),
  }
}

await runClient(import.meta.url, async (server = 'http://127.0.0.1:3000') => {
  const page = createPage(server)
  const site = createSite(server, 'photos')
  await page.login('ada', 'demo-ada-1843')
  const { body } = await page.allow(site.request)
  console.log('code', body)
  console.log('exchange', (await site.exchange(body.code)).body)
  console.log('profile', (await site.profile()).body)
  console.log('refresh', (await site.refresh()).status)

  console.log('the code again', (await site.exchange(body.code)).body)
  console.log('profile', (await site.profile()).body.code)
  console.log('refresh', (await site.refresh()).body)
  console.log('profile of the user herself', (await page.profile()).body)
})
