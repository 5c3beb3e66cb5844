// `require` of an ES module needs Node 20.19 or 22.12.
const { strict: assert } = require('node:assert')
const fastify = require('fastify')
const { portcullis, authenticate } = require('portcullis')
const { createClient } = require('portcullis/client')

async function main() {
  assert.equal(createClient({ baseUrl: 'http://localhost' }).session(), undefined)
  for (const plugin of [portcullis, require('portcullis')]) {
    const app = fastify()
    app.register(plugin, {
      store: 'memory',
      issuer: 'https://api.example.com',
      audience: 'https://api.example.com',
    })
    app.get('/me', { onRequest: authenticate }, async (request) => request.auth.sub)
    await app.ready()
    const { access_token } = await app.portcullis.issue({ sub: 7 })
    const headers = { authorization: `Bearer ${access_token}` }
    assert.equal((await app.inject({ url: '/me', headers })).body, '7')
    assert.equal((await app.inject('/me')).statusCode, 401)
    await app.close()
  }
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
