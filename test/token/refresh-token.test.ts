import { createHash } from 'node:crypto'
import t from 'tap'
import {
  formatRefreshToken,
  hashSecret,
  newRefreshToken,
  newSalt,
  parseRefreshToken,
  deriveSuccessor,
} from '../../src/token/refresh-token.js'
import { PROOF } from '../support/refresh-token-proof.js'

const token = newRefreshToken()
const text = formatRefreshToken(token, PROOF)
const [sid, family, secret, proof] = text.split('.') as [string, string, string, string]

t.test(
  'a token has three random parts of 128, 128 and 256 bits and a proof of 128 bits, and can be parsed',
  async (t) => {
    t.strictSame(
      text.split('.').map((part) => Buffer.from(part, 'base64url').length),
      [16, 16, 32, 16],
    )
    t.strictSame(parseRefreshToken(text, PROOF), { ...token, isProven: true })
  },
)

t.test('no two tokens or salts share a part', async (t) => {
  const many = Array.from({ length: 500 }, newRefreshToken)
  const parts = many.flatMap((one) => [one.sid, one.family, one.secret])
  t.equal(new Set([...parts, ...many.map(newSalt)]).size, 2_000)
})

const bad: [name: string, text: string][] = [
  ['nothing', ''],
  ['one part', sid],
  ['two parts', `${sid}.${family}`],
  ['a fifth part', `${text}.${proof}`],
  ['an empty proof', `${sid}.${family}.${secret}.`],
  ['a proof too short', text.slice(0, -1)],
  ['an empty sid', `.${family}.${secret}`],
  ['an empty family', `${sid}..${secret}`],
  ['an empty secret', `${sid}.${family}.`],
  ['a sid too short', `${sid.slice(1)}.${family}.${secret}`],
  ['a sid too long', `${sid}A.${family}.${secret}`],
  ['a family too short', `${sid}.${family.slice(1)}.${secret}`],
  ['a family too long', `${sid}.${family}A.${secret}`],
  ['a secret too short', `${sid}.${family}.${secret.slice(1)}.${proof}`],
  ['a secret too long', `${sid}.${family}.${secret}A.${proof}`],
  ['a proof too long', `${text}A`],
  ['padding', `${text}=`],
  ['a space before', ` ${text}`],
  ['a space after', `${text} `],
  ['a newline after', `${text}\n`],
  ['a newline before', `\n${text}`],
  ['a zero byte after', `${text}\0`],
  ['base64 that isn’t base64url', `${sid}.${family}.+${secret.slice(1)}`],
  ['a colon in the sid, which divides Redis keys', `:${sid.slice(1)}.${family}.${secret}`],
  ['a brace in the sid, which makes hash tags', `}${sid.slice(1)}.${family}.${secret}`],
  ['a letter that isn’t ASCII', `é${sid.slice(1)}.${family}.${secret}`],
  ['commas for dots', text.replaceAll('.', ',')],
  ['an access token', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA'],
  ['a megabyte', 'A'.repeat(1_000_000)],
]
for (const [name, value] of bad) {
  t.test(`${name} is no refresh token`, async (t) => t.equal(parseRefreshToken(value, PROOF), undefined))
}

t.test('a successor has a new secret in the same session and family', async (t) => {
  const next = deriveSuccessor(token, newSalt())
  t.match(next, { sid, family })
  t.not(next.secret, secret)
  t.strictSame(parseRefreshToken(formatRefreshToken(next, PROOF), PROOF), { ...next, isProven: true })
})

t.test('a successor depends on parent and salt only, and on both', async (t) => {
  const salt = newSalt()
  t.strictSame(deriveSuccessor(token, salt), deriveSuccessor({ ...token }, salt))
  t.not(deriveSuccessor(token, newSalt()).secret, deriveSuccessor(token, salt).secret, 'another salt')
  t.not(
    deriveSuccessor({ ...token, secret: newRefreshToken().secret }, salt).secret,
    deriveSuccessor(token, salt).secret,
  )
})

t.test('the stored values don’t reveal the successor', async (t) => {
  const salt = newSalt()
  const next = deriveSuccessor(token, salt)
  const fromTheHash = deriveSuccessor({ ...token, secret: hashSecret(secret) }, salt)
  t.not(fromTheHash.secret, next.secret)
  t.not(hashSecret(next.secret), next.secret)
  t.equal(hashSecret(secret), createHash('sha256').update(secret).digest('base64url'))
})
