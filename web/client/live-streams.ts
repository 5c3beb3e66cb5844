/** WebSockets and event streams of a client. */
import type { Client } from './client-types.js'

/**
 * Browsers can't send headers with a WebSocket or an EventSource, so a token goes into the query. The server must list
 * `query` in `accept.from`. In cookie mode the browser sends the cookie by itself.
 */
async function withToken(client: Client, target: string | URL): Promise<URL> {
  // To a WebSocket, `http:` and `ws:` are the same.
  const { url, isOurs } = client.resolve(String(target).replace(/^ws/, 'http'))
  const token = isOurs && (await client.token())
  if (token) url.searchParams.set('access_token', token)
  return url
}

/**
 * Opens a WebSocket to the server of the client, with a fresh token. The server closes it when the token expires or is
 * revoked. Open another one then. Needs `accept.from: [header, query]`, except in cookie mode.
 *
 * @example
 * const socket = await openWebSocket(client, '/chat')
 */
export const openWebSocket = async (
  client: Client,
  target: string | URL,
  protocols: string | string[] = [],
): Promise<WebSocket> => new WebSocket(await withToken(client, target), protocols)

/**
 * Opens an `EventSource` with a fresh token. It can't renew the token when it reconnects, so open another one
 * when it has closed. Needs `accept.from: [header, query]`, except in cookie mode.
 *
 * @example
 * const events = await openEventSource(client, '/events')
 */
export const openEventSource = async (client: Client, target: string | URL): Promise<EventSource> =>
  new EventSource(await withToken(client, target), { withCredentials: true })
