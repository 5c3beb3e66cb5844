import t from 'tap'
import { deriveChallenge, isCode, newCode } from '../../src/token/one-time-code.js'

t.test('the challenge of a verifier is that of RFC 7636, appendix B', async (t) => {
  t.equal(
    deriveChallenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'),
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  )
})

t.test('a verifier has 43 to 128 unreserved characters', async (t) => {
  t.type(deriveChallenge('a.-_~'.repeat(9)), 'string')
  t.type(deriveChallenge('a'.repeat(128)), 'string')
  for (const wrong of [
    '',
    'a'.repeat(42),
    'a'.repeat(129),
    `${'a'.repeat(43)}\n`,
    `${'a'.repeat(43)}+`,
    'ä'.repeat(43),
  ])
    t.equal(deriveChallenge(wrong), undefined, wrong)
})

t.test('a code has 256 random bits', async (t) => {
  const codes = Array.from({ length: 100 }, newCode)
  t.ok(codes.every(isCode))
  t.ok(codes.every((code) => Buffer.from(code, 'base64url').length === 32))
  t.equal(new Set(codes).size, 100)
  for (const wrong of ['', 'a'.repeat(42), 'a'.repeat(3_000), `${'a'.repeat(43)}\n`]) t.notOk(isCode(wrong))
})
