import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { files: string[] }

t.test('no example imports a file that the package doesn’t contain', async (t) => {
  const sources = readdirSync('examples', { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.[cm]?[jt]s$/.test(file),
  )
  t.ok(sources.length > 0, 'examples were found')
  for (const source of sources) {
    const text = readFileSync(join('examples', source), 'utf8')
    for (const [, path = ''] of text.matchAll(/(?:from|import)\s*\(?'(\.[^']+)'/g)) {
      const imported = join('examples', source, '..', path)
      t.ok(
        files.some((part) => imported.startsWith(part)),
        `${source} imports ${path}`,
      )
    }
  }
})
