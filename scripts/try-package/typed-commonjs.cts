import fastify from 'fastify'
import { portcullis, authenticate } from 'portcullis'

const app = fastify()
app.register(portcullis, {
  store: 'memory',
  issuer: 'https://api.example.com',
  audience: 'https://api.example.com',
})
app.get('/me', { onRequest: authenticate }, async (request) => request.auth!.sub)
app
  .inject('/me')
  .then(({ statusCode }) => {
    if (statusCode !== 401) throw new Error(`expected 401, but the response was ${statusCode}`)
    return app.close()
  })
  .catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
