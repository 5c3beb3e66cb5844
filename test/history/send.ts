/** One HTTP request of a client: a response, or none. */
import { request } from 'undici'
import type { Dispatcher } from 'undici'

export interface Call {
  readonly method: string
  readonly url: string
  readonly token?: string | undefined
  readonly json?: unknown
  /** The client leaves after so many ms. */
  readonly leaveAfter?: number | undefined
}

export interface Reply {
  /** `undefined`: no whole response arrived. */
  readonly status: number | undefined
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body?: any
}

const PATIENCE_MILLISECONDS = 8_000

export async function send(dispatcher: Dispatcher, call: Call): Promise<Reply> {
  const headers: Record<string, string> = {}
  if (call.token !== undefined) headers['authorization'] = `Bearer ${call.token}`
  if (call.json !== undefined) headers['content-type'] = 'application/json'
  try {
    const response = await request(call.url, {
      dispatcher,
      method: call.method as 'GET',
      headers,
      body: call.json === undefined ? null : JSON.stringify(call.json),
      signal: AbortSignal.timeout(call.leaveAfter ?? PATIENCE_MILLISECONDS),
    })
    const text = await response.body.text()
    const isJson = /json/.test(String(response.headers['content-type']))
    return { status: response.statusCode, body: isJson ? JSON.parse(text) : undefined }
  } catch {
    return { status: undefined }
  }
}
