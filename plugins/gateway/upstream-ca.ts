import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { StartError } from '../../src/start-error.js'

/**
 * The certificates that https upstreams are trusted by, besides those that Node brings.
 *
 * @throws {StartError} where the file can't be read, or holds none
 */
export async function readUpstreamCa(path: string | undefined): Promise<{ ca?: string }> {
  if (path === undefined) return {}
  try {
    const ca = await readFile(path, 'utf8')
    void new X509Certificate(ca)
    return { ca }
  } catch (error) {
    throw new StartError(`upstreams.ca: ${path} can’t be used: ${(error as Error).message}`)
  }
}
