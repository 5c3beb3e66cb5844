import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { StartError } from '../../src/start-error.js'

/**
 * Reads the CA certificates that https upstreams are verified with, in addition to Node's own.
 *
 * @throws {StartError} if the file can't be read or has no certificate
 */
export async function readUpstreamCa(path: string | undefined): Promise<{ ca?: string }> {
  if (path === undefined) return {}
  try {
    const ca = await readFile(path, 'utf8')
    void new X509Certificate(ca)
    return { ca }
  } catch (error) {
    throw new StartError(`upstreams.ca: the file ${path} can’t be used: ${(error as Error).message}`)
  }
}
