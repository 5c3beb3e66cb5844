import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { StartError } from './start-error.js'

const CERTIFICATE =
  /-----BEGIN ([A-Z0-9]+ )?CERTIFICATE-----[^]*?(?:-----END \1?CERTIFICATE-----|(?=-----BEGIN )|$)/g

/**
 * Reads a file of CA certificates (PEM) and checks every certificate in it.
 *
 * @param setting The name of the setting, for the error.
 * @throws {StartError} if the file can't be read, has no certificate, or has one that isn't valid
 */
export async function readCaFile(path: string, setting: string): Promise<string> {
  const fail = (problem: string) => new StartError(`${setting}: the file ${path} can’t be used: ${problem}`)
  let ca: string
  try {
    ca = await readFile(path, 'utf8')
  } catch (error) {
    throw fail((error as Error).message)
  }
  const certificates = ca.match(CERTIFICATE) ?? []
  if (certificates.length === 0) throw fail('it has no certificate in PEM form')
  certificates.forEach((certificate, i) => {
    try {
      void new X509Certificate(certificate)
    } catch (error) {
      const { message } = error as Error
      throw fail(`certificate ${i + 1} of ${certificates.length} is not valid (${message})`)
    }
  })
  try {
    // The way in which the certificates are loaded later.
    createSecureContext({ ca })
  } catch (error) {
    throw fail((error as Error).message)
  }
  return ca
}
