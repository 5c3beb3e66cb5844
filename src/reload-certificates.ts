import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import { readTls } from './tls-files.js'
import type { TlsFiles } from './tls-files.js'

interface Log {
  info(record: object, message: string): void
  error(record: object, message: string): void
}

/**
 * Reads the files of `listen.tls` again, and uses them for new connections. If they can't be used, the previous ones
 * remain in use, and an error is logged.
 */
export async function reloadCertificates(
  server: Server,
  files: TlsFiles | undefined,
  log: Log,
): Promise<void> {
  const rest = 'users are read again within 2 s after a change; keys and other settings need a restart'
  if (files === undefined || !(server instanceof TlsServer)) {
    return log.info({ event: 'reloaded', certificates: false }, `there are no certificates; ${rest}`)
  }
  try {
    server.setSecureContext(await readTls(files))
  } catch (error) {
    const reason = (error as Error).message
    return log.error({ event: 'reload_failed', reason }, 'the previous certificate remains in use')
  }
  log.info(
    { event: 'reloaded', certificates: true },
    `new connections use the certificate that was read; ${rest}`,
  )
}
