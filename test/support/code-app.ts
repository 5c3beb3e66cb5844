/** An application with one-time codes, and the requests that clients send to it. */
import { PassThrough } from 'node:stream'
import fastify from 'fastify'
import type { InjectOptions } from 'fastify'
import type { Test } from 'tap'
import portcullis from '../../plugins/portcullis.js'
import type { PluginOptions } from '../../src/config.js'
import type { TokenResponse } from '../../src/contract.js'
import { generateKey } from '../../src/token/signing-key.js'
import { AUDIENCE, ISSUER } from './access-tokens.js'

export interface CodeResponse {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Record<string, string>
}

/** @param codes The setting. `false` leaves it out. */
export async function openCodeApp(
  t: Test,
  options: Partial<PluginOptions> = {},
  codes: NonNullable<PluginOptions['codes']> | false = {},
) {
  const log = new PassThrough({ highWaterMark: 1e8 })
  const app = fastify({ logger: { level: 'debug', stream: log } })
  t.teardown(() => app.close())
  await app.register(portcullis, {
    store: 'memory',
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: { signing: JSON.stringify(generateKey('ES256')) },
    cookies: { secure: false },
    login: ({ username }: { username: string }) => ({
      sub: username,
      scope: 'read write',
      claims: { tenant: 'a' },
    }),
    ...(codes !== false && { codes }),
    ...options,
  })
  await app.ready()

  const send = async (url: string, request: InjectOptions): Promise<CodeResponse> => {
    const response = await app.inject({ method: 'POST', url, ...request })
    const body = response.body === '' ? {} : response.json<Record<string, string>>()
    return { status: response.statusCode, headers: response.headers, body }
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const form = (payload: string, more: InjectOptions = {}) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', ...more.headers }
    return send('/auth/token', { payload, ...more, headers })
  }
  const token = (parameters: Record<string, string>, more?: InjectOptions) =>
    form(new URLSearchParams(parameters).toString(), more)

  return {
    app,
    send,
    form,
    token,
    /** Logs a user in, and returns the token response. */
    async logIn(username = 'alice'): Promise<Required<TokenResponse>> {
      const { body } = await send('/auth/login', { payload: { username, password: 'p' } })
      return body as unknown as Required<TokenResponse>
    },
    issueCode: (accessToken: string, payload: object = {}) =>
      send('/auth/codes', { payload, headers: bearer(accessToken) }),
    exchange: (parameters: Record<string, string>, more?: InjectOptions) =>
      token({ grant_type: 'authorization_code', ...parameters }, more),
    refresh: (refreshToken: string) => send('/auth/refresh', { payload: { refresh_token: refreshToken } }),
    me: (accessToken: string) => send('/auth/me', { method: 'GET', headers: bearer(accessToken) }),
    logOut: (accessToken: string, payload: object = {}) =>
      send('/auth/logout', { payload, headers: bearer(accessToken) }),
    metrics: () => app.portcullis.metrics.metrics(),
    /** Returns what the application has logged since the last call. */
    logged: () => String(log.read() ?? ''),
  }
}
