/** The signing key is generated in the working directory, and `git add .` publishes it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../plugins/portcullis.js'
import { loadKey } from '../../src/token/key-directory.js'

const git = (cwd: string, ...args: string[]) => execFileSync('git', args, { cwd, encoding: 'utf8' })

t.test('a generated key is not part of a commit of everything', async (t) => {
  const repository = t.testdir({ 'app.js': '' })
  git(repository, 'init', '--quiet')
  const dir = join(repository, 'keys')
  const { createdFile } = await loadKey({ algorithm: 'ES256', dir })
  t.ok(existsSync(createdFile!))
  git(repository, 'add', '.')
  t.strictSame(git(repository, 'ls-files').trim().split('\n'), ['app.js'])

  const own = join(repository, 'own')
  mkdirSync(own)
  writeFileSync(join(own, '.gitignore'), '# mine\n')
  await loadKey({ algorithm: 'ES256', dir: own })
  t.equal(readFileSync(join(own, '.gitignore'), 'utf8'), '# mine\n', 'a .gitignore of the user is kept')
})

t.test('with the memory store no key is written, unless keys.dir is set', async (t) => {
  const directory = t.testdir({})
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => process.chdir(before))
  const options = { store: 'memory', issuer: 'https://a.example', audience: 'https://a.example' }
  const start = async (keys?: { dir: string }) => {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(portcullis, { ...options, ...(keys && { keys }) })
    const { access_token } = await app.portcullis.issue({ sub: 'ada' })
    t.equal((await app.portcullis.verifyToken(access_token!)).sub, 'ada')
  }
  await start()
  t.notOk(existsSync('keys'))
  await start({ dir: './keys' })
  t.ok(existsSync('keys/signing.jwk'))
})
