import { constants, createHash, createPrivateKey, privateEncrypt, sign } from 'node:crypto'
import t from 'tap'
import { encode, headerOf } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'

/** The order of P-256 (FIPS 186-4 §D.1.2.3) and the size of its field. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn

const bytesOf = (value: bigint, length = 32) =>
  Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex')
const pairOf = (r: bigint, s: bigint, length = 32) => Buffer.concat([bytesOf(r, length), bytesOf(s, length)])

t.test('ES256: values out of range (“psychic signatures”) and other forms are refused', async (t) => {
  const app = await openTokenApp(t)
  const [h, p, s] = app.token.split('.') as [string, string, string]
  const bytes = Buffer.from(s, 'base64url')
  const [R, S] = [bytes.subarray(0, 32), bytes.subarray(32)].map((part) =>
    BigInt(`0x${part.toString('hex')}`),
  ) as [bigint, bigint]
  const special = {
    0: 0n,
    1: 1n,
    'n − 1': N - 1n,
    n: N,
    'n + 1': N + 1n,
    p: P,
    'the largest': 2n ** 256n - 1n,
  }
  const forms: Record<string, Buffer> = {
    DER: sign('sha256', Buffer.from(`${h}.${p}`), app.key.private),
    'r and s exchanged': pairOf(S, R),
    'r one more': pairOf(R + 1n, S),
    'r with a zero byte before, s too': pairOf(R, S, 33),
    'r + n in 33 bytes': pairOf(R + N, S, 33),
    's + n in 33 bytes': pairOf(R, S + N, 33),
    'r + 2^256 in 33 bytes': pairOf(R + 2n ** 256n, S, 33),
    'r and s in 256 bytes': pairOf(R, S, 256),
    'r negative': pairOf(N - R, S),
  }
  for (const [rName, r] of Object.entries(special)) {
    forms[`r is ${rName}, s true`] = pairOf(r, S)
    forms[`r true, s is ${rName}`] = pairOf(R, r)
    for (const [sName, value] of Object.entries(special))
      forms[`r is ${rName}, s is ${sName}`] = pairOf(r, value)
  }
  for (const [name, form] of Object.entries(forms)) {
    await app.refuses(t, `${h}.${p}.${form.toString('base64url')}`, 'token_invalid', name)
  }
  await app.passes(t, `${h}.${p}.${pairOf(R, S).toString('base64url')}`, 'r and s as they are')
})

t.test(
  'ES256: the mirrored signature, which ECDSA allows, is the same token and is revoked with it',
  async (t) => {
    const app = await openTokenApp(t)
    const [h, p, s] = app.token.split('.') as [string, string, string]
    const bytes = Buffer.from(s, 'base64url')
    const mirrored = pairOf(
      BigInt(`0x${bytes.subarray(0, 32).toString('hex')}`),
      N - BigInt(`0x${bytes.subarray(32).toString('hex')}`),
    )
    const twin = `${h}.${p}.${mirrored.toString('base64url')}`
    t.not(twin, app.token)
    await app.passes(t, twin, 'the twin')
    await app.app.portcullis.revoke({ jti: app.claims.jti, expiresAt: app.claims.exp })
    await app.refuses(t, app.token, 'token_revoked', 'the token, revoked')
    await app.refuses(t, twin, 'token_revoked', 'its twin')
  },
)

t.test('ES256: a signature with another hash is refused', async (t) => {
  const app = await openTokenApp(t)
  const [h, p] = app.token.split('.') as [string, string]
  for (const hash of ['sha1', 'sha384', 'sha512', 'sha3-256']) {
    const key = { key: app.key.private, dsaEncoding: 'ieee-p1363' } as const
    const signature = sign(hash, Buffer.from(`${h}.${p}`), key).toString('base64url')
    await app.refuses(t, `${h}.${p}.${signature}`, 'token_invalid', hash)
  }
})

t.test('RS256: a padding other than PKCS #1 is refused, even made with our key', async (t) => {
  const app = await openTokenApp(t, 'RS256')
  const input = `${encode(headerOf(app.key))}.${encode(app.claims)}`
  const key = createPrivateKey(app.key.private.export({ format: 'pem', type: 'pkcs8' }))
  const size = key.asymmetricKeyDetails!.modulusLength! / 8
  const digest = createHash('sha256').update(input).digest()
  const SHA256 = Buffer.from('3031300d060960864801650304020105000420', 'hex')
  const WITHOUT_NULL = Buffer.from('302f300b06096086480165030402010420', 'hex')
  /** RFC 8017 §9.2, with `rest` in the place of DigestInfo, `filling` before it, and `after` behind. */
  const padded = (rest: Buffer, { type = 1, filling = 0xff, zero = 0, after = Buffer.alloc(0) } = {}) => {
    const spare = size - 3 - rest.length - after.length
    return Buffer.concat([
      Buffer.from([0, type]),
      Buffer.alloc(spare, filling),
      Buffer.from([zero]),
      rest,
      after,
    ])
  }
  const info = Buffer.concat([SHA256, digest])
  const seal = (block: Buffer) =>
    `${input}.${privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, block).toString('base64url')}`

  const early = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(8, 0xff), Buffer.from([0]), info])
  const blocks: Record<string, Buffer> = {
    'block type 0': padded(info, { type: 0, filling: 0 }),
    'block type 2': padded(info, { type: 2, filling: 0xaa }),
    'a filling of zeros': padded(info, { filling: 0 }),
    'one byte of the filling otherwise': padded(info).fill(0xfe, 20, 21),
    'no zero after the filling': padded(info, { zero: 0xff }),
    'a short filling, and garbage behind (Bleichenbacher 2006)': Buffer.concat([
      early,
      Buffer.alloc(size - early.length, 0x41),
    ]),
    'a byte behind': padded(info, { after: Buffer.from([0]) }),
    'the digest alone': padded(digest),
    'no parameters beside the algorithm': padded(Buffer.concat([WITHOUT_NULL, digest])),
    'another algorithm’s name': padded(
      Buffer.concat([Buffer.from('3031300d060960864801650304020205000420', 'hex'), digest]),
    ),
    'a length too large': padded(
      Buffer.concat([Buffer.from('3031300d060960864801650304020105000421', 'hex'), digest]),
    ),
    'a length in two bytes': padded(
      Buffer.concat([Buffer.from('308131300d060960864801650304020105000420', 'hex'), digest]),
    ),
    'the digest of something else': padded(
      Buffer.concat([SHA256, createHash('sha256').update('x').digest()]),
    ),
    'the number one': Buffer.concat([Buffer.alloc(size - 1), Buffer.from([1])]),
  }
  for (const [name, block] of Object.entries(blocks)) await app.refuses(t, seal(block), 'token_invalid', name)
  await app.passes(t, seal(padded(info)), 'PKCS #1’s own')
})
