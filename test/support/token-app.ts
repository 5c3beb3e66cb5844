/** A host's application with one guarded route, for tokens to be thrown at by HTTP. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import fastify from 'fastify'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Test } from 'tap'
import portcullis from '../../plugins/portcullis.js'
import type { PluginOptions } from '../../src/config.js'
import type { AccessClaims } from '../../src/token/access-token.js'
import { generateKey, importKey } from '../../src/token/signing-key.js'
import type { Algorithm, SigningKey } from '../../src/token/signing-key.js'
import { AUDIENCE, ISSUER, decode, forge, headerOf } from './access-tokens.js'

export interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
}

export class TokenApp {
  readonly app: FastifyInstance
  /** The key that the application signs with, known to the test. */
  readonly key: SigningKey
  /** What a login gave. */
  readonly token: string
  readonly refreshToken: string
  readonly claims: AccessClaims
  readonly #log: PassThrough
  #asked = 0

  constructor(
    app: FastifyInstance,
    key: SigningKey,
    tokens: { access_token: string; refresh_token: string },
    log: PassThrough,
  ) {
    this.app = app
    this.key = key
    this.token = tokens.access_token
    this.refreshToken = tokens.refresh_token
    this.claims = decode(this.token.split('.')[1]) as unknown as AccessClaims
    this.#log = log
  }

  /** A token that is good but for what is changed: header members or claims; undefined removes one. */
  forge({ header = {}, claims = {} }: { header?: object; claims?: object } = {}): string {
    return forge(this.key, { ...headerOf(this.key), ...header }, { ...this.claims, ...claims })
  }

  async ask(headers: InjectOptions['headers'], options: InjectOptions = {}): Promise<Answer> {
    // An address of its own: tokens with a wrong signature are limited by address.
    this.#asked += 1
    const remoteAddress = `10.${this.#asked >> 16}.${(this.#asked >> 8) & 255}.${this.#asked & 255}`
    const response = await this.app.inject({ url: '/me', headers: headers ?? {}, remoteAddress, ...options })
    return { status: response.statusCode, headers: response.headers, body: response.body }
  }

  bear(token: string): Promise<Answer> {
    return this.ask({ authorization: `Bearer ${token}` })
  }

  /** Sends header lines as they are, over a connection of its own. */
  async send(lines: readonly string[]): Promise<Answer> {
    if (!this.app.server.listening) await this.app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect((this.app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer within 5 s')))
    socket.write(
      Buffer.from(
        ['GET /me HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n'),
        'latin1',
      ),
    )
    const [head = '', ...body] = (await received(socket)).split('\r\n\r\n')
    const [first = '', ...fields] = head.split('\r\n')
    const headers = fields.map((field) => [
      field.split(':')[0]!.toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ])
    return {
      status: Number(first.split(' ')[1]),
      headers: Object.fromEntries(headers),
      body: body.join('\r\n\r\n'),
    }
  }

  /** The token opens the route: without this, a refusal of its changed sisters would prove nothing. */
  async passes(t: Test, token: string, name: string): Promise<void> {
    const answer = await this.bear(token)
    t.equal(answer.status, 200, `${name} passes`)
    t.match(JSON.parse(answer.body), { sub: 'alice' })
  }

  /** The token is refused with the code, as RFC 6750 and RFC 9457 say. */
  async refuses(t: Test, token: string, code: string, name: string): Promise<void> {
    isRefusal(t, await this.bear(token), code, name, token)
  }

  /** What the application has logged since the last call. */
  logged(): string {
    return String(this.#log.read() ?? '')
  }
}

export async function openTokenApp(
  t: Test,
  algorithm: Algorithm = 'ES256',
  options: Partial<PluginOptions> = {},
) {
  const signing = JSON.stringify(generateKey(algorithm))
  const key = await importKey(signing, algorithm)
  const log = new PassThrough({ highWaterMark: 1e8 })
  const app = fastify({ logger: { level: 'trace', stream: log } })
  t.teardown(() => app.close())
  await app.register(portcullis, {
    store: 'memory',
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: {
      algorithm,
      signing,
    },
    login: ({ username }: { username: string }) => ({ sub: username }),
    ...options,
  })
  app.get('/me', { onRequest: app.authenticate }, async (request) => request.auth)
  app.post('/me', { onRequest: app.authenticate }, async (request) => request.auth)
  const login = await app.inject({
    method: 'POST',
    url: '/auth/login',
    payload: { username: 'alice', password: 'p' },
  })
  return new TokenApp(app, key, login.json(), log)
}

const STATUS: Record<string, number> = { credentials_ambiguous: 400 }
const INVALID_TOKEN = /^Bearer realm="portcullis", error="invalid_token", error_description="[ !#-[\]-~]+"$/
const CHALLENGES: Record<string, RegExp> = {
  credentials_missing: /^Bearer realm="portcullis"$/,
  credentials_ambiguous: /^Bearer realm="portcullis", error="invalid_request"$/,
}

/** The answer is a problem with the code, with the right challenge, and says nothing of the token. */
export function isRefusal(t: Test, answer: Answer, code: string, name: string, token = ''): void {
  const { status, headers, body } = answer
  const problem = JSON.parse(body) as Record<string, unknown>
  t.match({ status, code: problem['code'] }, { status: STATUS[code] ?? 401, code }, `${name}: ${code}`)
  const wrong: string[] = []
  if (!String(headers['content-type']).startsWith('application/problem+json')) wrong.push('no problem+json')
  if (headers['cache-control'] !== 'no-store') wrong.push('may be cached')
  if (problem['status'] !== status) wrong.push('the problem has another status')
  if (!(CHALLENGES[code] ?? INVALID_TOKEN).test(String(headers['www-authenticate']))) {
    wrong.push(`challenged by ${String(headers['www-authenticate'])}`)
  }
  const said = `${body} ${JSON.stringify(headers)}`
  for (const part of token.split('.'))
    if (part.length >= 12 && said.includes(part)) wrong.push(`says ${part}`)
  if (/\bat .*\.js:\d+/.test(body)) wrong.push('shows a stack')
  if (wrong.length > 0) t.fail(`${name}: ${wrong.join('; ')}`)
}

/**
 * Everything that the socket receives until it is closed. A server that refuses a request before all of it was read may
 * reset the connection after its response (RFC 9112 §9.6); Node 24 does.
 */
async function received(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => (text += chunk))
  const [error] = (await once(socket, 'end').catch((reason: unknown) => [reason])) as [
    NodeJS.ErrnoException | undefined,
  ]
  if (error && (error.code !== 'ECONNRESET' || text === '')) throw error
  return text
}
