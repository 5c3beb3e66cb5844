/** Opens each page as different clients, and prints a table of the responses. */
import { request } from 'node:http'
import { runClient } from '../run.mjs'

export const PAGES = ['/login', '/reports', '/orders', '/refunds', '/audit', '/unknown']

/** Headers of a browser that opens a page. `fetch` can't send this `Sec-Fetch-Mode`, so `node:http` is used here. */
const NAVIGATION = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate' }

/**
 * The client of one server. It keeps cookies as a browser does.
 *
 * @param {string} url
 * @param {Record<string, string>} [headers] Sent with each request.
 */
export function createClient(url, headers = {}) {
  const cookies = new Map()

  function send(method, path, body) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const options = {
      method,
      headers: {
        ...headers,
        ...(cookie && { cookie }),
        ...(body && { 'content-type': 'application/json', origin: url }),
      },
    }
    return new Promise((resolve, reject) => {
      request(`${url}${path}`, options, async (response) => {
        for (const line of response.headers['set-cookie'] ?? []) {
          const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
          if (value) cookies.set(name, value)
          else cookies.delete(name)
        }
        const text = (await response.setEncoding('utf8').toArray()).join('')
        resolve({ status: response.statusCode, headers: response.headers, text })
      })
        .once('error', reject)
        .end(body && JSON.stringify(body))
    })
  }

  return {
    open: (path) => send('GET', path),
    logIn: (username, password, more) => send('POST', '/auth/login', { username, password, ...more }),
    logOut: () => send('POST', '/auth/logout', {}),
  }
}

/** Browsers, which log in by cookie, and scripts, which have a token. Each is a client and its name. */
export async function createClients(url) {
  const browserOf = async (username, password) => {
    const browser = createClient(url, NAVIGATION)
    await browser.logIn(username, password, { cookies: true })
    return browser
  }
  const scriptOf = async (username, password) => {
    const { text } = await createClient(url).logIn(username, password)
    return createClient(url, { authorization: `Bearer ${JSON.parse(text).access_token}` })
  }
  const bob = ['bob', 'drawbridge-1066']
  const ada = ['ada', 'gate-keeper-1843']
  const loggedOut = await scriptOf(...bob)
  await loggedOut.logOut()
  return [
    ['anonymous browser', createClient(url, NAVIGATION)],
    ['anonymous script', createClient(url)],
    ['script after its logout', loggedOut],
    ['browser of bob', await browserOf(...bob)],
    ['script of bob', await scriptOf(...bob)],
    ['browser of ada', await browserOf(...ada)],
    ['script of ada', await scriptOf(...ada)],
  ]
}

/** Returns the status of each page for each client, and the location of a redirect. */
export async function readTable(url) {
  const table = {}
  for (const [name, client] of await createClients(url)) {
    table[name] = {}
    for (const page of PAGES) {
      const { status, headers } = await client.open(page)
      table[name][page] = headers.location ? `${status} ${headers.location}` : `${status}`
    }
  }
  return table
}

async function steps(url = 'http://127.0.0.1:3000') {
  console.table(await readTable(url))
}

await runClient(import.meta.url, steps)
