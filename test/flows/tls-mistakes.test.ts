import { createPrivateKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { isExpected } from '../../src/commands/command.js'
import { authority } from '../support/certificates.js'
import { home, startGateway } from '../support/gateway-process.js'

const ca = authority('the test')
const { cert, key } = ca.issue('127.0.0.1')
const encrypted = createPrivateKey(key)
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'a pass phrase' })
  .toString()
const damaged = (pem: string) => pem.replace(/\n.{8}/, '\nAAAAAAAA')

const mistakes: readonly [what: string, cert: string, key: string, message: RegExp][] = [
  [
    'a key of another certificate',
    cert,
    ca.issue('127.0.0.1').key,
    /^listen\.tls\.key: .* doesn’t belong to the first certificate in .*cert\.pem/,
  ],
  ['an encrypted key', cert, encrypted, /^listen\.tls\.key: .*key\.pem is encrypted; .*openssl pkey/],
  ['swapped files', key, cert, /^listen\.tls\.cert: .* private key instead of a certificate.*swapped\?/],
  ['the certificate twice', cert, cert, /^listen\.tls\.key: .* certificate instead of a private key/],
  ['a certificate that isn’t PEM', 'MIIB', key, /^listen\.tls\.cert: .* not a certificate in PEM form/],
  ['a key that isn’t PEM', cert, '', /^listen\.tls\.key: .* not a private key in PEM form/],
  ['a damaged certificate', damaged(cert), key, /^listen\.tls\.cert: .* damaged certificate/],
  ['a damaged key', cert, damaged(key), /^listen\.tls\.key: .* damaged private key/],
]

t.test(
  'mistakes in the client certificate for upstreams are named at the start, with its settings',
  async (t) => {
    for (const [what, certText, keyText, message] of mistakes) {
      const directory = await home(t)
      const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
      await Promise.all([writeFile(files.cert, certText), writeFile(files.key, keyText)])
      const started = startGateway(t, { upstreams: files }, directory)
      const named = new RegExp(message.source.replaceAll('listen\\.tls', 'upstreams'))
      await t.rejects(started, { message: named }, what)
    }
  },
)

for (const [what, certText, keyText, message] of mistakes) {
  t.test(`${what} is named at the start, without a stack and without the key`, async (t) => {
    const directory = await home(t)
    const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    await Promise.all([writeFile(tls.cert, certText), writeFile(tls.key, keyText)])
    const error: unknown = await startGateway(t, { listen: { port: 0, tls } }, directory).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    t.ok(isExpected(error), 'the command line shows the message only')
    const text = String((error as Error).message)
    t.match(text, message)
    for (const line of [...key.split('\n'), ...encrypted.split('\n')])
      if (line.length > 20 && !line.startsWith('-----')) t.notOk(text.includes(line))
  })
}
