/** A certificate and its key: of the listener (`listen.tls`), or for upstreams that demand one (`upstreams`). */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { StartError } from './start-error.js'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/**
 * Reads and checks the files.
 *
 * @param setting The setting that has `cert` and `key`, for the error.
 * @throws {StartError} with the setting, the file and what is wrong with it. The message contains nothing of the key.
 */
export async function readTls(
  files: TlsFiles,
  setting = 'listen.tls',
): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = [await read(files.cert, `${setting}.cert`), await read(files.key, `${setting}.key`)]
  const swapped = `are ${setting}.cert and ${setting}.key swapped?`
  const certificate = readCertificate(cert, `${setting}.cert: the file ${files.cert}`, swapped)
  const privateKey = readPrivateKey(key, `${setting}.key: the file ${files.key}`, swapped)
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new StartError(
      `${setting}.key: the key in ${files.key} doesn’t belong to the first certificate in ${files.cert}; ` +
        'the certificate of the key comes first, before those of the authorities',
    )
  }
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new StartError(
      `${setting}.cert: the certificate and the key can’t be used: ${(error as Error).message}`,
    )
  }
  return { cert, key }
}

function read(file: string, setting: string): Promise<Buffer> {
  return readFile(file).catch((error: Error) => {
    throw new StartError(`${setting}: the file ${file} can’t be read: ${error.message}`)
  })
}

function readCertificate(bytes: Buffer, subject: string, swapped: string): X509Certificate {
  const text = bytes.toString('latin1')
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new StartError(
      text.includes('PRIVATE KEY-----')
        ? `${subject} has a private key instead of a certificate; ${swapped}`
        : `${subject} is not a certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----`,
    )
  }
  try {
    return new X509Certificate(bytes)
  } catch {
    throw new StartError(`${subject} has a damaged certificate`)
  }
}

function readPrivateKey(bytes: Buffer, subject: string, swapped: string) {
  const text = bytes.toString('latin1')
  if (!text.includes('PRIVATE KEY-----')) {
    throw new StartError(
      text.includes('-----BEGIN CERTIFICATE-----')
        ? `${subject} has a certificate instead of a private key; ${swapped}`
        : `${subject} is not a private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----`,
    )
  }
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new StartError(
      `${subject} is encrypted; write the key without a passphrase: openssl pkey -in ENCRYPTED -out KEY`,
    )
  }
  try {
    return createPrivateKey(bytes)
  } catch {
    throw new StartError(`${subject} has a damaged private key`)
  }
}
