/** A signing key in a form that isn't recognised is taken for a path; no message may show it. */
import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { parsePluginOptions } from '../../src/config.js'
import { loadKey } from '../../src/token/key-directory.js'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

async function failure(signing: string): Promise<string> {
  try {
    const { keys } = parsePluginOptions({
      store: 'memory',
      issuer: 'i',
      audience: 'a',
      login: () => null,
      keys: { algorithm: 'ES256', signing },
    })
    await loadKey(keys)
    return ''
  } catch (error) {
    const { message, stack, cause } = error as Error
    return `${message} ${stack} ${String(cause)}`
  }
}

t.test('a key in another form is refused without being shown', async (t) => {
  const secrets = {
    'base64 of half a PEM': Buffer.from(pem.slice(40)).toString('base64'),
    'a plain secret': 'correct-horse-battery-staple-0123456789',
    base64url: Buffer.from(pem).toString('base64url').slice(0, 64),
    'a PEM without its first line': pem.split('\n').slice(1).join(''),
    'a secret with a NUL': 'secret\0secret-secret-secret-secret',
  }
  for (const [what, secret] of Object.entries(secrets)) {
    const message = await failure(secret)
    t.match(message, /keys\.signing/, what)
    for (let at = 0; at + 12 <= secret.length; at += 6)
      t.notOk(message.includes(secret.slice(at, at + 12)), `${what}: a part of it is shown`)
  }
})

t.test('a PEM as written in environment files is read', async (t) => {
  const oneLine = pem.trim().replaceAll('\n', String.raw`\n`)
  const spellings = [pem, oneLine, `"${oneLine}"`, `'${pem.trim()}'`, pem.replaceAll('\n', '\r\n')]
  spellings.push(Buffer.from(pem).toString('base64'))
  for (const spelling of spellings) t.equal(await failure(spelling), '')
})
