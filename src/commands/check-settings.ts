import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { loadGatewaySettings } from '../config.js'
import type { GatewaySettings, Sources } from '../config.js'
import { readPageFiles } from '../../plugins/gateway/pages/files.js'
import { UsersFile } from '../login/users-file.js'
import { readUpstreamTls } from '../upstream-tls.js'
import { readTls } from '../tls-files.js'
import { nameSource } from './name-source.js'
import { loadVerifyingKeys } from '../token/load-verifying-keys.js'
import { DEFAULT_DIRECTORY, SIGNING_KEY_FILE, loadKey } from '../token/key-directory.js'

/**
 * Checks the settings and the files that they name, without starting or creating anything. Returns the warnings.
 *
 * @throws {ConfigError | StartError | KeyError | UsersFileError} if the gateway could not start with them
 */
export async function checkSettings(sources: Sources): Promise<readonly string[]> {
  const { settings, warnings, sourceOf } = loadGatewaySettings(sources)
  return [...warnings, ...(await nameSource(checkFiles(settings), sourceOf))]
}

/** Checks the files that the settings name. Returns the warnings about the keys. */
async function checkFiles({
  keys,
  listen,
  login,
  pages,
  upstreams,
}: GatewaySettings): Promise<readonly string[]> {
  if (listen.tls) await readTls(listen.tls)
  await readUpstreamTls(upstreams)
  if (pages !== undefined) await readPageFiles(pages)
  if (login.users !== undefined) await UsersFile.open(login.users, () => {})
  if (keys.verify !== undefined) return (await loadVerifyingKeys(keys.verify, keys.algorithm)).warnings
  if (keys.jwks !== undefined) return []
  const hasKey =
    keys.signing !== undefined ||
    (await stat(join(keys.dir ?? DEFAULT_DIRECTORY, SIGNING_KEY_FILE)).then(
      () => true,
      () => false,
    ))
  // Without a key, the first start creates one.
  return hasKey ? (await loadKey(keys)).warnings : []
}
