import { readCaFile } from './ca-file.js'
import type { UpstreamTls } from './gateway/http1-client/upstream-socket.js'
import { readTls } from './tls-files.js'

/**
 * Reads and checks the files for https upstreams.
 *
 * @param files The settings `upstreams.ca`, `upstreams.cert` and `upstreams.key`. The last two are set together.
 * @throws {StartError} with the setting, the file and what is wrong with it
 */
export async function readUpstreamTls(files: {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}): Promise<UpstreamTls> {
  const { ca, cert, key } = files
  return {
    ...(ca !== undefined && { ca: await readCaFile(ca, 'upstreams.ca') }),
    ...(cert !== undefined && key !== undefined && (await readTls({ cert, key }, 'upstreams'))),
  }
}
