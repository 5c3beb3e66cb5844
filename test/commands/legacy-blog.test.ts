import t from 'tap'
import type { Test } from 'tap'
import { createLegacyBlog } from '../../src/commands/legacy-blog/blog-server.js'
import { listen } from '../support/forwarding.js'

async function blog(t: Test) {
  const port = await listen(t, createLegacyBlog())
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    // oxlint-disable-next-line typescript/no-explicit-any
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : (JSON.parse(text) as any),
    }
  }
}

const titles = (answer: { body: { posts: { title: string }[] } }) =>
  answer.body.posts.map(({ title }) => title)

t.test('the paths for everybody show published posts only', async (t) => {
  const call = await blog(t)
  const list = await call('GET', '/post')
  t.equal(list.status, 200)
  t.equal(list.headers.get('content-type'), 'application/json; charset=utf-8')
  t.strictSame(titles(list), ['Opening day', 'How to paint a drawbridge'])
  t.strictSame(titles(await call('GET', '/tag/castle')), ['How to paint a drawbridge'])
  t.strictSame(titles(await call('GET', '/tag/%E0%A4')), [], 'a tag that is no UTF-8 is just unknown')
  t.equal((await call('GET', '/post/1')).body.title, 'Opening day')
  t.equal((await call('GET', '/post/3')).status, 404, 'a draft')
  t.equal((await call('GET', '/post/99')).status, 404)
  t.equal((await call('HEAD', '/post')).status, 200)
})

t.test('drafts are under /post/all, which shows the user that the gateway names', async (t) => {
  const call = await blog(t)
  const all = await call('GET', '/post/all', undefined, { 'x-forwarded-user': 'alice' })
  t.equal(titles(all).length, 3)
  t.equal(all.body.reader, 'alice')
  t.equal((await call('GET', '/post/all')).body.reader, null)
})

t.test('create, change, delete', async (t) => {
  const call = await blog(t)
  const user = { 'x-forwarded-user': Buffer.from('Zoë').toString('latin1') }
  const created = await call('POST', '/post', { title: 'T', body: 'B', tags: ['x'] }, user)
  t.equal(created.status, 201)
  t.strictSame(created.body, { id: 4, title: 'T', body: 'B', tags: ['x'], published: true, author: 'Zoë' })
  const changed = await call('PUT', '/post', { id: 4, title: 'T2', body: 'B', published: false })
  t.equal(changed.status, 200)
  t.match(changed.body, { title: 'T2', published: false, author: 'Zoë' })
  t.equal((await call('DELETE', '/post/4')).status, 204)
  t.equal((await call('DELETE', '/post/4')).status, 404)
  t.equal((await call('PUT', '/post', { id: 4, title: 'T', body: 'B' })).status, 404)
})

t.test('wrong bodies, methods and paths have their own errors', async (t) => {
  const call = await blog(t)
  for (const body of ['', '{', '[]', 'null', '"x"', {}, { title: '', body: '' }, { title: 'T' }]) {
    t.equal((await call('POST', '/post', body)).status, 400, JSON.stringify(body))
  }
  t.equal((await call('POST', '/post', { title: 'T', body: 'B', tags: [1] })).status, 400)
  t.equal((await call('POST', '/post', { title: 'T', body: 'B', published: 'yes' })).status, 400)
  t.equal((await call('PUT', '/post', { title: 'T', body: 'B' })).status, 400)
  t.equal((await call('POST', '/post', { title: 'T', body: 'x'.repeat(70_000) })).status, 413)
  const refused = await call('DELETE', '/post')
  t.equal(refused.status, 405)
  t.equal(refused.headers.get('allow'), 'GET, HEAD, POST, PUT')
  t.equal((await call('POST', '/post/1')).status, 405)
  t.equal((await call('POST', '/post/all')).status, 405)
  t.equal((await call('POST', '/tag/x')).status, 405)
  for (const path of ['/', '/posts', '/post/x', '/post/1/2', '/tag/', '/post/']) {
    t.equal((await call('GET', path)).status, 404, path)
  }
  t.equal(titles(await call('GET', '/post')).length, 2, 'nothing changed')
})

t.test('a full blog says so', async (t) => {
  const call = await blog(t)
  let status = 0
  for (let n = 3; n < 1000; n++) status = (await call('POST', '/post', { title: 'T', body: 'B' })).status
  t.equal(status, 201)
  t.equal((await call('POST', '/post', { title: 'T', body: 'B' })).status, 409)
  await call('DELETE', '/post/1')
  t.equal((await call('POST', '/post', { title: 'T', body: 'B' })).status, 201)
})
