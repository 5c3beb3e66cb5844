/** Exchanges between a client and an upstream, generated from a seed: mostly correct, some at the wrong time. */
import type { Random } from '../simulation/random.js'

/**
 * The upstream's mistake.
 *
 * - `early`: it sends another response while it waits for the next request.
 * - `doubled`: it sends the response twice, before it reads the next request.
 * - `late-body`: it sends the body of a response to HEAD, of a 204 or 304, at any later time.
 * - `ignored-body`: it doesn't read the body of a GET or DELETE, and answers the body as if it were a request.
 * - `missing`: it ends the connection without a response, or within one.
 */
export type Mistake = 'early' | 'doubled' | 'late-body' | 'ignored-body' | 'missing'

export interface GeneratedExchange {
  readonly id: string
  readonly method: string
  /** The body of the request, and how it is framed. Each piece arrives one turn after the one before. */
  readonly body: readonly string[]
  readonly isChunked: boolean
  /** Turns of the event loop between the exchange before this one and the request. */
  readonly pause: number
  /** The response in pieces, with the turns before each. Latin-1. */
  readonly pieces: readonly { readonly text: string; readonly wait: number }[]
  /** The connection ends behind the pieces. */
  readonly isUntilClose: boolean
  readonly mistake: Mistake | undefined
  /** Turns between the response and the mistake. */
  readonly mistakeAfter: number
  /** Data that belongs to no request. */
  readonly junk: string
  readonly hasStrayLineEnd: boolean
}

const METHODS = [
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'POST',
  'PUT',
  'DELETE',
  'GET+body',
  'DELETE+body',
] as const
const KINDS = [
  'sized',
  'sized',
  'chunked',
  'chunked',
  'trailers',
  'until-close',
  'empty',
  '204',
  '304',
] as const

/** Generates the exchanges that follow each other on the connections of one client. */
export function generateExchanges(random: Random, from: number, count: number): GeneratedExchange[] {
  return Array.from({ length: count }, (_, at) => generateExchange(random, `r${from + at}`))
}

function generateExchange(random: Random, id: string): GeneratedExchange {
  const [method = 'GET', hasBody] = random.pick(METHODS).split('+')
  const kind = random.pick(KINDS)
  const sendsBody = hasBody !== undefined || method === 'POST' || method === 'PUT'
  const isBodiless = method === 'HEAD' || kind === '204' || kind === '304'
  const body = sendsBody
    ? Array.from({ length: 1 + random.below(3) }, () => 'x'.repeat(1 + random.below(9)))
    : []
  const text = respond(random, id, kind, method === 'HEAD')
  const mistake =
    random.next() < 0.35 ? pickMistake(random, { isBodiless, method, sendsBody, kind }) : undefined
  const junk = `HTTP/1.1 200 OK\r\nX-Id: junk\r\nContent-Length: 4\r\n\r\njunk`
  const sent = mistake === 'missing' ? text.slice(0, random.below(text.length)) : text
  return {
    id,
    method,
    body,
    isChunked: random.next() < 0.5,
    pause: random.pick([0, 0, 1, 3, 12] as const),
    pieces: cut(random, sent),
    isUntilClose: kind === 'until-close' && !isBodiless,
    mistake,
    mistakeAfter: random.below(6),
    junk: mistake === 'doubled' ? text : junk,
    hasStrayLineEnd: mistake === undefined && kind !== 'until-close' && random.next() < 0.1,
  }
}

function pickMistake(
  random: Random,
  {
    isBodiless,
    method,
    sendsBody,
    kind,
  }: { isBodiless: boolean; method: string; sendsBody: boolean; kind: string },
): Mistake {
  if (isBodiless) return random.pick(['late-body', 'late-body', 'early', 'missing'] as const)
  if (kind === 'until-close') return 'missing'
  const ignorable = sendsBody && (method === 'GET' || method === 'DELETE')
  if (ignorable) return random.pick(['ignored-body', 'ignored-body', 'doubled', 'missing'] as const)
  return random.pick(['early', 'doubled', 'missing'] as const)
}

function respond(random: Random, id: string, kind: string, isHead: boolean): string {
  const body = `${id}:${'y'.repeat(random.below(40))}`
  const interim = random.next() < 0.1 ? `HTTP/1.1 103 Early Hints\r\nX-Id: ${id}\r\n\r\n` : ''
  const status = kind === '204' || kind === '304' ? kind : random.pick(['200', '201', '404', '500'] as const)
  const head = `${interim}HTTP/1.1 ${status} Any\r\nX-Id: ${id}\r\n`
  if (status === '204') return `${head}\r\n`
  if (status === '304') return `${head}${random.next() < 0.5 ? 'Content-Length: 99\r\n' : ''}\r\n`
  if (kind === 'until-close' && !isHead) return `${head}Connection: close\r\n\r\n${body}`
  if (kind === 'empty') return `${head}Content-Length: 0\r\n\r\n`
  const isChunked = kind === 'chunked' || kind === 'trailers'
  if (isHead)
    return `${head}${isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`}\r\n\r\n`
  if (!isChunked) return `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  const at = 1 + random.below(body.length - 1)
  const chunks = [body.slice(0, at), body.slice(at)].map(
    (chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`,
  )
  const trailers = kind === 'trailers' ? `X-Sum: ${id}\r\n` : ''
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n${trailers}\r\n`
}

/** Cuts the text at up to three random places. */
function cut(random: Random, text: string): { text: string; wait: number }[] {
  const ends = Array.from({ length: random.below(4) }, () => random.below(text.length + 1))
  const bounds = [0, ...ends.toSorted((a, b) => a - b), text.length]
  const pieces = bounds
    .slice(1)
    .map((to, at) => ({ text: text.slice(bounds[at], to), wait: random.below(3) }))
  return pieces.filter(({ text: piece }) => piece !== '')
}
