/** Certificates (RFC 5280 §4.1) for servers of tests, made here, as not every machine has an openssl. */
import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'

export interface Certificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export interface Authority {
  /** PEM of its own certificate. */
  readonly cert: string
  /** A certificate for a DNS name or an IPv4 address, valid until `hours` from now, and since two days before that. */
  issue(subject: string, hours?: number): Certificate
}

/** A certificate authority of its own. */
export function authority(name: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const isCa = sequence(
    oid('551d13'),
    der(0x01, Buffer.from([0xff])),
    der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
  )
  const ca = { name, key: privateKey }
  return {
    cert: certificate({ subject: name, publicKey, hours: 24, extension: isCa }, ca),
    issue(subject, hours = 24) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const isAddress = isIP(subject) === 4
      const value = isAddress ? Buffer.from(subject.split('.').map(Number)) : Buffer.from(subject)
      const extension = sequence(oid('551d11'), der(0x04, sequence(der(isAddress ? 0x87 : 0x82, value))))
      return {
        cert: certificate({ subject, publicKey: pair.publicKey, hours, extension }, ca),
        key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      }
    },
  }
}

interface Contents {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly hours: number
  readonly extension: Buffer
}

let serial = 0

function certificate(contents: Contents, issuer: { readonly name: string; readonly key: KeyObject }): string {
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const until = Date.now() + contents.hours * 3_600_000
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1, (serial += 1)])),
    ecdsaWithSha256,
    distinguished(issuer.name),
    sequence(time(until - 86_400_000 * 2), time(until)),
    distinguished(contents.subject),
    contents.publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(contents.extension)),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, issuer.key)])
  const whole = sequence(body, ecdsaWithSha256, der(0x03, signature)).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${whole.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}

function distinguished(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))))
}

function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replaceAll(/\D/g, '')
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts)
}

/** X.690's tag, length, value; up to 65535 bytes. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const { length } = value
  // The shortest form alone is DER; Chromium refuses others.
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  const head = length < 128 ? [tag, length] : [tag, ...long]
  return Buffer.concat([Buffer.from(head), value])
}
