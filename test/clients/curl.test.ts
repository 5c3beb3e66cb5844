import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { USERS, home } from '../support/gateway-process.js'
import { startFront } from '../support/front.js'
import { TEXT, sha256 } from '../support/legacy-app.js'
import type { Echo } from '../support/legacy-app.js'
import { FILE } from '../support/legacy-file.js'

/** As `npm test` found it; by hand, on PATH. */
const CURL = process.env['TEST_CURL_SERVER'] ?? 'curl'

const SAME: readonly (readonly string[])[] = [
  ['/file'],
  ['/file', '--head'],
  ['/file', '--range', '0-99,200-299'],
  ['/file', '--range', '300000-'],
  ['/file', '--header', 'If-None-Match: "v1-7"'],
  ['/file', '--time-cond', 'Wed, 01 Jan 2020 00:00:00 GMT'],
  ['/compressed/br'],
  ['/compressed/gzip', '--compressed'],
  ['/chunked'],
  ['/cookies'],
  ['/no-content'],
  ['/large-headers'],
  ['/latin1', '--header', 'X-Name: Zo\xeb'],
  ['/redirect/elsewhere'],
  ['/redirect/relative', '--location'],
  ['/teapot'],
  ['/file', '--http1.0'],
  ['/chunked', '--http1.0'],
  ['/chunked', '--http1.0', '--header', 'Host:'],
  ['/echo', '--http1.0', '--data', 'a=1&b=2'],
  ['/echo', '--request', 'PROPFIND', '--data', '<x/>'],
  ['/file', '--request', 'OPTIONS'],
]

if (CURL === '') t.plan(0, 'there is no curl here')
else await through()

async function through(): Promise<void> {
  const directory = await home(t)
  const { app, gateway } = await startFront(t, {}, directory)
  const { url } = gateway
  const file = (name: string) => join(directory, name)
  await writeFile(file('upload.bin'), FILE)
  await writeFile(file('large.bin'), Buffer.alloc(3 << 20, 'x'))

  /** What curl prints; `--fail` and the like make it reject. */
  function curl(...args: string[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      // Without --disable it would read the user's own settings.
      const all = ['--disable', '--silent', '--show-error', '--max-time', '20', '--noproxy', '*', ...args]
      execFile(CURL, all, { encoding: 'buffer', maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        const cause = error.code === 'ENOENT' ? 'install curl: apt-get install curl' : String(stderr)
        reject(new Error(`curl ${args.join(' ')}: ${cause}`))
      })
    })
  }

  const textOf = async (...args: string[]) => String(await curl(...args))
  const jsonOf = async (...args: string[]) => JSON.parse(await textOf(...args)) as Echo

  /** Heads and bodies as they came, without what belongs to one connection or moment. */
  async function whole(...args: string[]): Promise<string> {
    const text = (await curl('--include', ...args)).toString('latin1')
    return text.replaceAll(/^(?:date|connection|keep-alive|transfer-encoding|trailer): .*\r\n/gim, '')
  }

  t.test('responses equal those without the gateway, also for HTTP/1.0', async (t) => {
    for (const [path, ...options] of SAME) {
      // HTTP/1.0 is answered in HTTP/1.1, as RFC 9110 §6.2 has it, but the body in no chunks.
      const [passed, direct] = [
        await whole(`${url}${path}`, ...options),
        await whole(`${app.url}${path}`, ...options),
      ]
      t.equal(passed, direct, `${path} ${options.join(' ')}`)
    }
  })

  t.test('curl follows redirects: a POST becomes GET after 303, and stays POST after 307', async (t) => {
    t.match(await jsonOf('--location', `${url}/redirect/absolute`), { target: '/echo?from=absolute' })
    const post = (path: string) => jsonOf('--location', '--data', 'kept', `${url}${path}`)
    t.match(await post('/redirect/see-other'), { method: 'GET', length: 0 })
    t.match(await post('/redirect/same-method'), { method: 'POST', sha256: sha256('kept') })
  })

  t.test('a download resumes, and an ETag is remembered', async (t) => {
    const [part, tag] = [file('part.bin'), file('etag')]
    await writeFile(part, FILE.subarray(0, 70_000))
    await curl('--continue-at', '-', '--output', part, `${url}/file`)
    t.equal(sha256(await readFile(part)), sha256(FILE))
    const status = ['--write-out', '%{http_code}', '--output', file('whole.bin'), `${url}/file`]
    t.equal(await textOf('--etag-save', tag, ...status), '200')
    t.equal(await textOf('--etag-compare', tag, ...status), '304')
    t.equal(await textOf('--compressed', `${url}/compressed/gzip`), TEXT)
  })

  t.test('uploads: PUT of a file, from a pipe in chunks, as a form, after 100 Continue', async (t) => {
    const sent = { length: FILE.length, sha256: sha256(FILE) }
    t.match(await jsonOf('--upload-file', file('upload.bin'), `${url}/echo`), {
      method: 'PUT',
      framing: String(FILE.length),
      ...sent,
    })
    const chunked = ['--header', 'Transfer-Encoding: chunked', '--upload-file', file('upload.bin')]
    t.match(await jsonOf(...chunked, `${url}/echo`), { framing: 'chunked', ...sent })
    const form = await jsonOf('--form', 'name=Zoë', '--form', `file=@${file('upload.bin')}`, `${url}/echo`)
    t.match(form.type, /^multipart\/form-data; boundary=/)
    t.ok(form.length > FILE.length)
    // Of this size curl itself asks first.
    const large = ['--trace-ascii', file('trace'), '--upload-file', file('large.bin'), `${url}/echo`]
    t.equal((await jsonOf(...large)).length, 3 << 20)
    const trace = String(await readFile(file('trace')))
    t.match(trace, 'Expect: 100-continue')
    t.match(trace, 'HTTP/1.1 100 Continue')
  })

  t.test('an upload that is too large or not allowed is refused before it is sent', async (t) => {
    await writeFile(file('huge.bin'), Buffer.alloc(9 << 20))
    const status = ['--output', file('refusal'), '--write-out', '%{http_code} %{size_upload}']
    const put = (name: string, path: string) =>
      textOf(...status, '--expect100-timeout', '20', '--upload-file', file(name), `${url}${path}`)
    t.equal(await put('huge.bin', '/echo'), '413 0')
    t.match(String(await readFile(file('refusal'))), '"code":"body_too_large"')
    t.equal(await put('large.bin', '/private/page'), '401 0')
  })

  t.test('one connection serves several requests', async (t) => {
    const count = ['--output', file('out'), '--write-out', '%{num_connects} ']
    const urls = ['/file', '/no-content', '/chunked', '/nowhere', '/private/page', '/healthz']
    const args = urls.flatMap((path, at) => [
      ...(at ? ['--next', '--silent'] : []),
      ...count,
      `${url}${path}`,
    ])
    t.equal(await textOf(...args), '1 0 0 0 0 0 ')
  })

  t.test('a cookie jar: login, a guarded page, the legacy app’s own beside them, logout', async (t) => {
    const jar = ['--cookie-jar', file('jar'), '--cookie', file('jar')]
    const status = ['--output', file('out'), '--write-out', '%{http_code}']
    const json = ['--header', 'Content-Type: application/json', '--header', `Origin: ${url}`]
    const body = JSON.stringify({ username: 'ada', password: USERS.ada, cookies: true })
    t.equal(await textOf(...jar, ...status, `${url}/private/page`), '401')
    t.equal(await textOf(...jar, ...status, ...json, '--data', body, `${url}/auth/login`), '200')
    await curl(...jar, '--output', file('out'), `${url}/cookies`)
    const lines = String(await readFile(file('jar')))
    for (const name of ['access', 'refresh', 'first', 'second']) t.match(lines, new RegExp(`\t${name}\t`))
    t.match(await textOf(...jar, `${url}/private/page`), 'Hello ada')
    const { cookie } = await jsonOf(...jar, `${url}/echo`)
    t.strictSame(cookie?.split('; ').toSorted(), ['first=1', 'second="two', '2"'].slice(0, 2).toSorted())
    // curl's cookies in the form of a logout; no Origin, no page: it is refused, as it might be another site's.
    t.equal(await textOf(...jar, ...status, '--request', 'POST', `${url}/auth/logout`), '403')
    const origin = ['--header', `Origin: ${url}`]
    t.equal(await textOf(...jar, ...status, ...origin, '--request', 'POST', `${url}/auth/logout`), '204')
    t.equal(await textOf(...jar, ...status, `${url}/private/page`), '401')
  })
}
