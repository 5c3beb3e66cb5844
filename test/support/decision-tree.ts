/** The callers that a route can have, and the response that each kind of route gives them. */
import { appendFile, readFile } from 'node:fs/promises'
import type { Answer, CallOptions } from './gateway-process.js'
import { USERS, call, expired, logIn, logInByCookies } from './gateway-process.js'

export const PAGE = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate' }
export const LOGIN = '/login?next='

export interface Caller {
  readonly name: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly options: CallOptions
  /** The status and code on a route that needs a token, and on one that needs the scope `admin`, too. */
  readonly plain: Outcome
  readonly scoped?: Outcome
  /** True if a browser opens a page, which a route may redirect. */
  readonly opensPage?: true
  /** True if a redirect deletes the caller's cookies. */
  readonly clears?: true
}

/** A status, with the code of its error. */
export type Outcome = `${number}` | `${number} ${string}`

/** Adds a user with the scope `admin` and ada's password to the users file. */
export async function addAdmin(directory: string): Promise<void> {
  const file = `${directory}/users.htpasswd`
  const [, hash] = /^ada:(.*)$/m.exec(await readFile(file, 'utf8'))!
  await appendFile(file, `root:${hash}:admin\n`)
}

/** Creates the callers with tokens of a running server. */
export async function createCallers(url: string, directory: string): Promise<Caller[]> {
  const { access_token: token } = await logIn(url)
  const json = { username: 'root', password: USERS.ada }
  const admin = (await call(url, 'POST', '/auth/login', { json })).body.access_token as string
  const { access_token: ended } = await logIn(url)
  await call(url, 'POST', '/auth/logout', { token: ended })
  const endedCookies = await logInByCookies(url)
  await call(url, 'POST', '/auth/logout', { token: endedCookies['__Host-access']! })
  const cookies = await logInByCookies(url)
  const expiredToken = await expired(directory, token)
  const expiredCookies = { ...cookies, '__Host-access': await expired(directory, cookies['__Host-access']!) }
  const GET = 'GET' as const
  const page = { method: GET, opensPage: true } as const
  const lacking = '403 insufficient_scope'
  return [
    { name: 'a script', method: GET, options: {}, plain: '401 credentials_missing' },
    { name: 'a browser', ...page, options: { headers: PAGE }, plain: '401 credentials_missing' },
    {
      name: 'a browser that asks for the head',
      ...page,
      method: 'HEAD',
      options: { headers: PAGE },
      plain: '401',
    },
    {
      name: 'a form of a browser',
      method: 'POST',
      options: { headers: PAGE, form: { a: 'b' } },
      plain: '401 credentials_missing',
    },
    {
      name: 'a script of a browser that accepts HTML',
      method: GET,
      options: { headers: { ...PAGE, 'sec-fetch-mode': 'cors' } },
      plain: '401 credentials_missing',
    },
    {
      name: 'a browser with an ended session',
      ...page,
      options: { headers: PAGE, cookies: endedCookies },
      plain: '401 session_ended',
      clears: true,
    },
    {
      name: 'a browser with an expired token',
      ...page,
      options: { headers: PAGE, cookies: expiredCookies },
      plain: '401 token_expired',
    },
    { name: 'a malformed token', method: GET, options: { token: 'x' }, plain: '401 token_malformed' },
    { name: 'an expired token', method: GET, options: { token: expiredToken }, plain: '401 token_expired' },
    {
      name: 'the token of an ended session',
      method: GET,
      options: { token: ended },
      plain: '401 session_ended',
    },
    {
      name: 'two tokens',
      method: GET,
      options: { headers: { authorization: `Bearer ${token}, Bearer ${ended}` } },
      plain: '401 token_malformed',
    },
    {
      name: 'two different cookies',
      method: GET,
      options: { headers: { cookie: `__Host-access=${token}; __Host-access=${ended}` } },
      plain: '400 credentials_ambiguous',
    },
    {
      name: 'a form of another site',
      method: 'POST',
      options: { cookies, headers: { ...PAGE, origin: 'https://evil.example' } },
      plain: '403 cross_site_request',
    },
    { name: 'a token', method: GET, options: { token }, plain: '200', scoped: lacking },
    {
      name: 'a browser with a cookie',
      method: GET,
      options: { headers: PAGE, cookies },
      plain: '200',
      scoped: lacking,
    },
    { name: 'a token with the scope', method: GET, options: { token: admin }, plain: '200' },
  ]
}

/** Returns the status of a response, with the code of its error. */
export function outcomeOf({ status, body }: Answer): string {
  return body?.code === undefined ? String(status) : `${status} ${body.code}`
}
