/** The host's own Fastify is used. `npm run try:package` installs the package with the oldest one. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

t.test('fastify is a peer, so that a host has one copy and one set of types', async (t) => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(dependencies.fastify, undefined)
  t.equal(peerDependencies.fastify, '^5.0.0')
  for (const name of Object.keys(dependencies)) {
    const manifest = join('node_modules', name, 'package.json')
    if (!existsSync(manifest)) continue
    const nested = JSON.parse(readFileSync(manifest, 'utf8')).dependencies ?? {}
    t.notOk('fastify' in nested, `${name} brings no copy either`)
  }
})

t.test('nothing is imported from fastify by name, because older versions lack newer names', async (t) => {
  for (const folder of ['src', 'plugins']) {
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue
      const text = readFileSync(join(folder, file), 'utf8')
      t.notMatch(text, /^import (?!type\b)[^']*\{[^']*from 'fastify'/m, file)
    }
  }
})
