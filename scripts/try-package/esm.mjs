import { strict as assert } from 'node:assert'
import fastify from 'fastify'
import portcullis, { authenticate } from 'portcullis'
import { createClient } from 'portcullis/client'

assert.equal(createClient({ baseUrl: 'http://localhost' }).session(), undefined)
const app = fastify()
await app.register(portcullis, {
  store: 'memory',
  issuer: 'https://api.example.com',
  audience: 'https://api.example.com',
  login: ({ username }) => ({ sub: username }),
})
app.get('/me', { onRequest: authenticate }, async (request) => request.auth.sub)
const payload = { username: 'ada', password: 'x' }
const login = await app.inject({ method: 'POST', url: '/auth/login', payload })
const headers = { authorization: `Bearer ${login.json().access_token}` }
assert.equal((await app.inject({ url: '/me', headers })).body, 'ada')
assert.equal((await app.inject('/me')).statusCode, 401)
assert.equal((await app.inject({ method: 'POST', url: '/auth/logout', headers })).statusCode, 204)
assert.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
await app.close()
