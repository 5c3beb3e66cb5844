import type { Test } from 'tap'
import type { GatewayProcess, Overrides } from './gateway-process.js'
import { serveGateway } from './gateway-process.js'
import type { LegacyApp } from './legacy-app.js'
import { startLegacyApp } from './legacy-app.js'

/** The legacy app, and a gateway in front of it that guards what is under `/private`. Cookies go by http, too. */
export async function startFront(
  t: Test,
  overrides: Overrides = {},
  directory?: string,
): Promise<{ app: Awaited<ReturnType<typeof startLegacyApp>>; gateway: GatewayProcess }> {
  const app = await startLegacyApp(t)
  const gateway = await serveGateway(
    t,
    {
      cookies: { secure: false },
      limits: { body: '8mb' },
      routes: [
        { path: '/private', upstream: app.url },
        { path: '/', upstream: app.url, auth: 'none' },
      ],
      ...overrides,
    },
    directory,
  )
  return { app, gateway }
}

export type { LegacyApp }

/** What belongs to one connection, or to one moment; RFC 9110 §7.6.1 and §6.6.1. */
const NOT_COMPARED = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'trailer'])

/**
 * A message's raw headers, names and values in turn, as lines that can be compared with those of another connection.
 */
export function comparable(rawHeaders: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!NOT_COMPARED.has(rawHeaders[at]!.toLowerCase()))
      lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  return lines
}

/** Requests whose answers must be the same through the gateway as without it: method, target, headers, body. */
export const SAME: readonly (readonly [string, string, Record<string, string>?, string?])[] = [
  ['GET', '/file'],
  ['HEAD', '/file'],
  ['GET', '/file', { range: 'bytes=0-9' }],
  ['GET', '/file', { range: 'bytes=199990-' }],
  ['GET', '/file', { range: 'bytes=-5' }],
  ['HEAD', '/file', { range: 'bytes=-5' }],
  ['GET', '/file', { range: 'bytes=0-1,5-9,-3' }],
  ['GET', '/file', { range: 'bytes=200000-' }],
  ['GET', '/file', { range: 'bytes=0-9', 'if-range': '"v1-7"' }],
  ['GET', '/file', { range: 'bytes=0-9', 'if-range': '"v0"' }],
  ['GET', '/file', { 'if-none-match': '"v1-7"' }],
  ['HEAD', '/file', { 'if-none-match': '"v1-7"' }],
  ['GET', '/file', { 'if-none-match': '"v0"' }],
  ['GET', '/file', { 'if-modified-since': 'Wed, 01 Jan 2020 00:00:00 GMT' }],
  ['GET', '/compressed/gzip', { 'accept-encoding': 'gzip, br' }],
  ['GET', '/compressed/br'],
  ['GET', '/compressed/deflate'],
  ['HEAD', '/compressed/gzip'],
  ['GET', '/redirect/relative'],
  ['GET', '/redirect/elsewhere'],
  ['POST', '/redirect/see-other', {}, 'x=1'],
  ['GET', '/cookies'],
  ['GET', '/chunked'],
  ['HEAD', '/chunked'],
  ['GET', '/no-content'],
  ['GET', '/teapot'],
  ['GET', '/large-headers'],
  ['GET', '/latin1', { 'x-name': 'Zo\xeb' }],
  ['GET', '/page'],
  ['GET', '/nowhere'],
  ['GET', '/echo?q=a%20b&c=%2F..%5C&d=?'],
  ['POST', '/echo', { 'content-type': 'text/plain' }, 'a body'],
  ['PUT', '/echo', {}, ''],
  ['PATCH', '/echo', { 'content-type': 'application/merge-patch+json' }, '{}'],
  ['DELETE', '/echo', { 'content-length': '11' }, 'with a body'],
  ['OPTIONS', '/file'],
]
