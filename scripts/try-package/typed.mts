import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import portcullis, { authenticate, authorize } from 'portcullis'
import type { Auth, PluginOptions } from 'portcullis'

const options: PluginOptions<FastifyRequest> = {
  store: 'memory',
  issuer: 'https://api.example.com',
  audience: 'https://api.example.com',
  login: ({ username }, request) => (request.ip === '' ? null : { sub: username }),
}
const app = fastify()
await app.register(portcullis, options)
app.get('/me', { onRequest: authenticate }, async (request): Promise<Auth | null> => request.auth)
app.get('/admin', { onRequest: [app.authorize({ scope: 'admin' })] }, async ({ auth }) => auth!.sub)
app.get('/any', { preHandler: authorize({ anyScope: ['a', 'b'] }) }, async () => 'welcome')
app.addHook('onRequest', app.authenticate)
app.get('/callback', async (_request, reply) =>
  app.portcullis.setCookies(reply, await app.portcullis.issue({ sub: 'u1' })),
)
const { statusCode } = await app.inject('/me')
if (statusCode !== 401) throw new Error(`expected 401, but the response was ${statusCode}`)
await app.close()
