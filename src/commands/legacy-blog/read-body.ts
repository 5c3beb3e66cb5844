import type { IncomingMessage } from 'node:http'
import type { PostContent } from './posts.js'

const MAX_BODY = 65_536

export type JsonBody =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly status: 400 | 413; readonly error: string }

/** Reads a JSON object. A body that is too long is also read to its end, so that the client receives the 413. */
export async function readJson(request: IncomingMessage): Promise<JsonBody> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    if (length <= MAX_BODY) pieces.push(piece)
  }
  if (length > MAX_BODY) return { ok: false, status: 413, error: `at most ${MAX_BODY} bytes` }
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { ok: true, value: value as Record<string, unknown> }
    }
  } catch {
    // The error below covers this case.
  }
  return { ok: false, status: 400, error: 'the body must be a JSON object' }
}

/** Checks the content of a post. Returns an error message if it is invalid. */
export function postContent(value: Readonly<Record<string, unknown>>): PostContent | string {
  const { title, body, tags = [], published = true } = value
  if (typeof title !== 'string' || title.trim() === '') return 'title must be a non-empty string'
  if (typeof body !== 'string') return 'body must be a string'
  if (!Array.isArray(tags) || !tags.every((tag): tag is string => typeof tag === 'string')) {
    return 'tags must be a list of strings'
  }
  if (typeof published !== 'boolean') return 'published must be true or false'
  return { title, body, tags, published }
}
