import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { samplePosts } from './posts.js'
import type { Posts } from './posts.js'
import { postContent, readJson } from './read-body.js'

type Answer = { readonly status: number; readonly body?: unknown; readonly allow?: string }

/**
 * A small blog API from before tokens: it asks nobody who they are, and takes the gateway's word (`X-Forwarded-User`)
 * for it. The demo stands in front of it; on its own it must not be reachable.
 *
 * Open: `GET /post`, `/post/:id`, `/tag/:tagName`. For the gateway to guard: `GET /post/all` (drafts too), `POST
 * /post`, `PUT /post` (with `id` in the body), `DELETE /post/:id`.
 */
export function createLegacyBlog(): Server {
  const posts = samplePosts()
  return createServer((request, response) => {
    answer(request, posts).then(
      (result) => send(response, result),
      // The client went away while it was sending.
      () => response.destroy(),
    )
  })
}

async function answer(request: IncomingMessage, posts: Posts): Promise<Answer> {
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
    const name = decoded(tag)
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

async function create(request: IncomingMessage, posts: Posts, user: string | undefined): Promise<Answer> {
  const json = await readJson(request)
  if (!json.ok) return wrong(json.status, json.error)
  const content = postContent(json.value)
  if (typeof content === 'string') return wrong(400, content)
  const post = posts.add(content, user ?? 'anonymous')
  return post === undefined
    ? wrong(409, 'the blog is full; delete a post first')
    : { status: 201, body: post }
}

async function change(request: IncomingMessage, posts: Posts): Promise<Answer> {
  const json = await readJson(request)
  if (!json.ok) return wrong(json.status, json.error)
  const { id } = json.value
  if (typeof id !== 'number' || !Number.isSafeInteger(id))
    return wrong(400, 'id must be the number of a post')
  const content = postContent(json.value)
  if (typeof content === 'string') return wrong(400, content)
  const post = posts.replace(id, content)
  return post === undefined ? notFound : { status: 200, body: post }
}

const notFound: Answer = { status: 404, body: { error: 'not found' } }

function wrong(status: number, error: string): Answer {
  return { status, body: { error } }
}

function notAllowed(allow: string): Answer {
  return { status: 405, body: { error: `only ${allow} here` }, allow }
}

/** Headers are bytes; the gateway writes names in UTF-8. */
function readUser(request: IncomingMessage): string | undefined {
  const value = request.headers['x-forwarded-user']
  return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8') : undefined
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function send(response: ServerResponse, { status, body, allow }: Answer): void {
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
