/**
 * A blog that had jsonwebtoken and a denylist in Redis on Express. Its nine routes and their bodies are the old ones;
 * the tokens, the logout and the guard are those of Portcullis.
 */
import fastify from 'fastify'
import portcullis, { PortcullisError, authenticate } from 'portcullis'
import { runServer } from '../run.mjs'
import { createPosts } from './posts.mjs'
import { findUser } from './users.mjs'

/** @param {{ store?: string, keys?: object }} options The Redis, and the key that signs. */
export async function createServer({ store = 'memory', keys = {} } = {}) {
  const app = fastify()
  app.setErrorHandler(sendError)
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ message: 'Not found' }))
  await app.register(portcullis, {
    store,
    issuer: 'https://blog.example.com',
    audience: 'https://blog.example.com',
    keys,
    tokens: { access: '60m', refresh: '7d' },
    accept: { from: ['header', 'x-access-token', 'query', 'body'] },
    cookies: { enabled: false },
    async login({ username, password }) {
      const user = await findUser(username, password)
      return user ? { sub: user.id, claims: { username } } : null
    },
    // Errors go to the error handler above, which sends the bodies that the clients know.
    refusals: 'throw',
  })
  addUserRoutes(app)
  addPostRoutes(app)
  return app
}

function addUserRoutes(app) {
  app.post('/user/signin', async (request) => toBody(await app.portcullis.login(request.body, request)))

  app.post('/user/refresh', async ({ body, ip }) =>
    toBody(await app.portcullis.refresh(body?.refreshToken, { ip })),
  )

  // It was: redis.set(`denylist:${token}`, '1', 'EX', secondsLeft). Now the refresh token ends, too.
  app.get('/user/logout', { onRequest: authenticate }, async ({ auth }) => {
    await app.portcullis.revoke({ sid: auth.sid })
    return { message: 'Logged out' }
  })
}

const toBody = ({ access_token, refresh_token, expires_in }) => ({
  token: access_token,
  refreshToken: refresh_token,
  expiresIn: expires_in,
})

function addPostRoutes(app) {
  const posts = createPosts()
  const found = (post, reply) => post ?? reply.code(404).send({ message: 'No such post' })
  const idOf = ({ params }) => Number(params.id)
  const body = { type: 'object', required: ['title'], properties: { title: { type: 'string' } } }
  // A `preHandler` runs after the body was read, so it also finds a token in the body.
  const change = { schema: { body }, preHandler: authenticate }

  app.get('/post', async () => posts.published())
  app.get('/post/all', { onRequest: authenticate }, async () => posts.all())
  app.get('/post/:id', async (request, reply) => found(posts.get(idOf(request)), reply))
  app.post('/post', change, async (request, reply) =>
    reply.code(201).send(posts.add(request.body.title, request.auth.claims.username)),
  )
  app.put('/post/:id', change, async (request, reply) =>
    found(posts.change(idOf(request), request.body.title), reply),
  )
  app.delete('/post/:id', { onRequest: authenticate }, async (request, reply) =>
    posts.remove(idOf(request)) ? { message: 'Deleted' } : found(undefined, reply),
  )
}

function sendError(error, _request, reply) {
  if (error instanceof PortcullisError) reply.headers(error.headers)
  const status = error.statusCode ?? 500
  return reply.code(status).send({
    message: status < 500 ? error.message : 'Something went wrong',
    code: error instanceof PortcullisError ? error.code : undefined,
  })
}

await runServer(import.meta.url, createServer)
