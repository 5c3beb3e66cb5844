import t from 'tap'
import type { Test } from 'tap'
import { join } from 'node:path'
import { readCaFile } from '../src/ca-file.js'
import { authority } from './support/certificates.js'

const [first, second] = [authority('first').cert, authority('second').cert]
const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

function read(t: Test, text: string): Promise<string> {
  const folder = t.testdir({ 'ca.pem': text })
  return readCaFile(join(folder, 'ca.pem'), 'upstreams.ca')
}

t.test('every certificate of a bundle is read, with text between them', async (t) => {
  const bundle = `# the first\n${first}# the second\n${second}`
  t.equal(await read(t, bundle), bundle)
})

for (const [what, text, problem] of [
  ['a broken second certificate', first + broken, 'certificate 2 of 2 is not valid'],
  ['a broken first certificate', broken + first, 'certificate 1 of 2 is not valid'],
  ['a second certificate without its end', first + second.slice(0, 200), 'certificate 2 of 2 is not valid'],
  [
    'a certificate without its end before another',
    first.slice(0, 200) + second,
    'certificate 1 of 2 is not valid',
  ],
  ['no certificate', 'hello\n', 'it has no certificate in PEM form'],
] as const) {
  t.test(`${what} ends the start with an error that names the setting and the file`, async (t) => {
    await t.rejects(read(t, text), {
      name: 'StartError',
      message: new RegExp(`^upstreams\\.ca: the file .*ca\\.pem can’t be used: ${problem}`),
    })
  })
}

t.test('a file that doesn’t exist ends the start with an error that names the setting', async (t) => {
  await t.rejects(readCaFile('/nowhere/ca.pem', 'login.http.ca'), {
    name: 'StartError',
    message: /^login\.http\.ca: the file \/nowhere\/ca\.pem can’t be used: ENOENT/,
  })
})
