import type { IncomingMessage } from 'node:http'
import type { PostContent } from './posts.js'

const MAX_BODY = 65_536

export type JsonBody =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly status: 400 | 413; readonly error: string }

/** Reads a JSON object; the whole body is read even where it is too long, so that the client hears the answer. */
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
    // told below
  }
  return { ok: false, status: 400, error: 'the body must be a JSON object' }
}

/** Checks what a client says of a post; gives the sentence to answer where it is wrong. */
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
