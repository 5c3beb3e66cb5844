/** The certificate and the key of `listen.tls`. */
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
 * @throws {StartError} with the setting, the file and what is wrong with it. The message contains nothing of the key.
 */
export async function readTls(files: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = [await read(files.cert, 'listen.tls.cert'), await read(files.key, 'listen.tls.key')]
  const certificate = readCertificate(cert, `listen.tls.cert: the file ${files.cert}`)
  const privateKey = readPrivateKey(key, `listen.tls.key: the file ${files.key}`)
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new StartError(
      `listen.tls: the key in ${files.key} doesn’t belong to the first certificate in ${files.cert}; ` +
        'the server’s own certificate comes first, before those of the authorities',
    )
  }
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new StartError(`listen.tls: the certificate and the key can’t be used: ${(error as Error).message}`)
  }
  return { cert, key }
}

function read(file: string, setting: string): Promise<Buffer> {
  return readFile(file).catch((error: Error) => {
    throw new StartError(`${setting}: the file ${file} can’t be read: ${error.message}`)
  })
}

function readCertificate(bytes: Buffer, subject: string): X509Certificate {
  const text = bytes.toString('latin1')
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new StartError(
      text.includes('PRIVATE KEY-----')
        ? `${subject} has a private key instead of a certificate; are listen.tls.cert and listen.tls.key swapped?`
        : `${subject} is not a certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----`,
    )
  }
  try {
    return new X509Certificate(bytes)
  } catch {
    throw new StartError(`${subject} has a damaged certificate`)
  }
}

function readPrivateKey(bytes: Buffer, subject: string) {
  const text = bytes.toString('latin1')
  if (!text.includes('PRIVATE KEY-----')) {
    throw new StartError(
      text.includes('-----BEGIN CERTIFICATE-----')
        ? `${subject} has a certificate instead of a private key; are listen.tls.cert and listen.tls.key swapped?`
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
