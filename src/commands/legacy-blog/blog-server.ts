import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { samplePosts } from './posts.js'
import type { Posts } from './posts.js'
import { postContent, readJson } from './read-body.js'

type BlogResponse = { readonly status: number; readonly body?: unknown; readonly allow?: string }

/**
 * Creates the sample legacy API: a small blog without authentication. It trusts the `X-Forwarded-User` of the gateway,
 * so clients must not reach it directly.
 *
 * Public routes: `GET /post`, `/post/:id`, `/tag/:tagName`. Routes that the gateway should protect: `GET /post/all`
 * (includes drafts), `POST /post`, `PUT /post` (with `id` in the body), `DELETE /post/:id`.
 */
export function createLegacyBlog(): Server {
  const posts = samplePosts()
  return createServer((request, response) => {
    respond(request, posts).then(
      (result) => send(response, result),
      // The client disconnected during its request.
      () => response.destroy(),
    )
  })
}

async function respond(request: IncomingMessage, posts: Posts): Promise<BlogResponse> {
  const path = (request.url ?? '/').split('?', 1)[0]!
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const user = readUser(request)

  if (path === '/post') {
    if (method === 'GET') return { status: 200, body: { posts: posts.list((post) => post.published) } }
    if (method === 'POST') return create(request, posts, user)
    if (method === 'PUT') return change(request, posts)
    return notAllowed('GET, HEAD, POST, PUT')
  }
  if (path === '/post/all') {
    if (method !== 'GET') return notAllowed('GET, HEAD')
    return { status: 200, body: { reader: user ?? null, posts: posts.list(() => true) } }
  }
  const tag = /^\/tag\/([^/]+)$/.exec(path)?.[1]
  if (tag !== undefined) {
    if (method !== 'GET') return notAllowed('GET, HEAD')
    const name = decode(tag)
    return { status: 200, body: { posts: posts.list((post) => post.published && post.tags.includes(name)) } }
  }
  const id = /^\/post\/([0-9]{1,9})$/.exec(path)?.[1]
  if (id === undefined) return notFound
  if (method === 'GET') {
    const post = posts.get(Number(id))
    return post?.published ? { status: 200, body: post } : notFound
  }
  if (method === 'DELETE') return posts.remove(Number(id)) ? { status: 204 } : notFound
  return notAllowed('GET, HEAD, DELETE')
}

async function create(
  request: IncomingMessage,
  posts: Posts,
  user: string | undefined,
): Promise<BlogResponse> {
  const json = await readJson(request)
  if (!json.ok) return errorResponse(json.status, json.error)
  const content = postContent(json.value)
  if (typeof content === 'string') return errorResponse(400, content)
  const post = posts.add(content, user ?? 'anonymous')
  return post === undefined
    ? errorResponse(409, 'the blog is full; delete a post first')
    : { status: 201, body: post }
}

async function change(request: IncomingMessage, posts: Posts): Promise<BlogResponse> {
  const json = await readJson(request)
  if (!json.ok) return errorResponse(json.status, json.error)
  const { id } = json.value
  if (typeof id !== 'number' || !Number.isSafeInteger(id))
    return errorResponse(400, 'id must be the number of a post')
  const content = postContent(json.value)
  if (typeof content === 'string') return errorResponse(400, content)
  const post = posts.replace(id, content)
  return post === undefined ? notFound : { status: 200, body: post }
}

const notFound: BlogResponse = { status: 404, body: { error: 'not found' } }

function errorResponse(status: number, error: string): BlogResponse {
  return { status, body: { error } }
}

function notAllowed(allow: string): BlogResponse {
  return { status: 405, body: { error: `the allowed methods are ${allow}` }, allow }
}

/** Returns the user that the gateway sent. Node decodes headers as latin1, but the gateway writes UTF-8. */
function readUser(request: IncomingMessage): string | undefined {
  const value = request.headers['x-forwarded-user']
  return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8') : undefined
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function send(response: ServerResponse, { status, body, allow }: BlogResponse): void {
  if (allow !== undefined) response.setHeader('allow', allow)
  if (body === undefined) {
    response.writeHead(status).end()
    return
  }
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
