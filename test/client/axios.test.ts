import { create } from 'axios'
import type { AxiosError } from 'axios'
import t from 'tap'
import { CREDENTIALS, SharedStorage, openClientServer } from '../support/client-server.js'

/** Returns the code of the response that a request was rejected with. */
async function codeOf(request: Promise<unknown>): Promise<unknown> {
  const error = (await request.catch((reason: unknown) => reason)) as AxiosError<{ code: string }>
  return error.response?.data.code
}

t.test('an axios instance sends its requests by the client', async (t) => {
  const server = await openClientServer(t)
  const storage = new SharedStorage()
  const client = server.client({ storage })
  await client.login(CREDENTIALS)
  const plain = create({ baseURL: server.url })
  const instance = client.axios(create({ baseURL: server.url }))
  t.same((await instance.get('/me')).data, { sub: 'alice' })

  storage.age(900)
  await Promise.all([instance.get('/me'), instance.get('/me'), client.fetch('/me')])
  t.equal(server.count('/auth/refresh'), 1, 'one refresh for all')

  await server.revoke(await client.token())
  const { data } = await instance.post('/echo', { a: 1 })
  t.same(JSON.parse((data as { body: string }).body), { a: 1 }, 'the body was sent again')

  await t.rejects(plain.get('/me'), { message: /401/ }, 'other instances are unchanged')
  server.refuse('/me', 503, 'store_unavailable')
  t.same(await codeOf(instance.get('/me')), 'store_unavailable')
  server.hooks.clear()
  await t.rejects(instance.get('/me', { signal: AbortSignal.abort() }), { code: 'ERR_CANCELED' })
  t.ok(client.session())

  await server.app.portcullis.sessions.endAll('alice')
  t.same(await codeOf(instance.get('/me')), 'session_ended')
  t.equal(client.session(), undefined)
})
