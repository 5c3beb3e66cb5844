/**
 * The key directory that instances share. The signing key is created there on the first start. With the memory store, the
 * key is in memory by default: no other instance needs it, and no session outlives the process.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, lstat, mkdir, open, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findReplaceWarnings, findTrustWarnings } from '../file-trust.js'
import { setTimeout as delay } from 'node:timers/promises'
import { DEFAULT_ALGORITHM, generateKey, importKey, KeyError } from './signing-key.js'
import type { Algorithm, SigningKey } from './signing-key.js'

export const SIGNING_KEY_FILE = 'signing.jwk'

/** The directory if `keys.dir` isn't set, unless the store is in memory. */
export const DEFAULT_DIRECTORY = './keys'

/** The settings that say where the signing key comes from. */
export interface KeySource {
  /** Default: `ES256`. */
  readonly algorithm?: Algorithm | undefined
  /** The directory of the key file (`keys.dir`). */
  readonly dir?: string | undefined
  /** The key as PEM or JWK text, or the file that contains it (`keys.signing`). `dir` is then not used. */
  readonly signing?: GivenKey
}

export type GivenKey =
  { readonly from: 'text'; readonly text: string } | { readonly from: 'file'; readonly path: string }

export interface LoadedKey {
  readonly key: SigningKey
  /** The path of the key file if this call created it, else `undefined`. */
  readonly createdFile: string | undefined
  /** Sentences for the operator, such as a warning about a key file that other users may read. */
  readonly warnings: readonly string[]
}

/**
 * Loads the signing key of this instance, and creates it if there is none.
 *
 * @param isAlone True if no other instance and no later process needs the key. It then stays in memory, unless `dir` is
 *   set.
 * @param linkFile Creates a hard link. Default: the `link` of Node.
 * @throws {KeyError} if the key can't be read, used or created. The message names the setting.
 */
export async function loadKey(
  { algorithm = DEFAULT_ALGORITHM, dir: given, signing }: KeySource,
  isAlone = false,
  linkFile: LinkFile = link,
): Promise<LoadedKey> {
  if (signing !== undefined) {
    const file = signing.from === 'file' ? signing.path : undefined
    const text = await readGivenKey(signing, 'keys.signing')
    const key = await withSetting('keys.signing', importKey(text, algorithm))
    return {
      key,
      createdFile: undefined,
      warnings:
        file === undefined
          ? []
          : [
              ...(await findTrustWarnings(file, 'the key file', true)),
              ...(await findReplaceWarnings(file, 'the key file')),
            ],
    }
  }
  if (given === undefined && isAlone) {
    const key = await importKey(JSON.stringify(generateKey(algorithm)), algorithm)
    return { key, createdFile: undefined, warnings: [] }
  }
  const dir = given ?? DEFAULT_DIRECTORY
  const file = join(dir, SIGNING_KEY_FILE)
  const created = await createKeyFile(dir, { file, algorithm, linkFile })
  const text = await readWholeKeyFile(file, 'keys.dir')
  const key = await withSetting(`keys.dir: ${file}`, importKey(text, algorithm))
  const warnings = [
    ...(await findTrustWarnings(dir, 'the key directory', true)),
    ...(await findTrustWarnings(file, 'the key file', true)),
  ]
  return { key, createdFile: created ? file : undefined, warnings }
}

/**
 * Creates the key file unless it exists. Returns true if this call created it.
 *
 * Several instances may start at the same time. Each writes a complete draft under a random name and links it to the
 * final name. The link fails if the name exists, so exactly one instance succeeds and no instance reads half a file.
 * Without hard links (SMB, exFAT) the file is created under its final name, and instances wait until it is whole.
 */
async function createKeyFile(
  dir: string,
  { file, algorithm, linkFile }: { file: string; algorithm: Algorithm; linkFile: LinkFile },
): Promise<boolean> {
  if (await lstat(file).catch(() => undefined)) return false
  const draft = join(dir, `.${SIGNING_KEY_FILE}.${randomBytes(6).toString('hex')}`)
  const text = `${JSON.stringify(generateKey(algorithm))}\n`
  const failure = (error: Error) =>
    new KeyError(`keys.dir: no signing key could be created in ${dir}: ${error.message}`)
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await ignoreInGit(dir)
    await writeNewFile(draft, text)
  } catch (error) {
    throw failure(error as Error)
  }
  try {
    await linkFile(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (!NO_HARD_LINKS.has(error.code ?? '')) throw error
      return writeNewFile(file, text)
    })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw failure(error as Error)
  } finally {
    await unlink(draft)
  }
}

/** Keeps the key out of a commit of the whole working directory. A `.gitignore` that is there already is kept. */
async function ignoreInGit(dir: string): Promise<void> {
  try {
    await writeFile(join(dir, '.gitignore'), '*\n', { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

type LinkFile = (existing: string, name: string) => Promise<void>

/** The error codes of file systems without hard links. */
const NO_HARD_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** Writes a file that must not exist. */
async function writeNewFile(file: string, text: string): Promise<void> {
  const handle = await open(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The number and interval (ms) of attempts to read a key file that another instance may be writing. */
const READS = 100
const READ_EVERY = 20

async function readWholeKeyFile(file: string, setting: string): Promise<string> {
  for (let reads = 1; ; reads += 1) {
    const text = await readKeyFile(file, setting)
    if (reads === READS || !isPartOfJwk(text)) return text
    await delay(READ_EVERY)
  }
}

function isPartOfJwk(text: string): boolean {
  if (text === '') return true
  if (!text.startsWith('{')) return false
  try {
    JSON.parse(text)
    return false
  } catch {
    return true
  }
}

/**
 * Returns the text of a key in the settings. The path of its file is never shown, because it may be a secret in a form
 * that wasn't recognised.
 *
 * @throws {KeyError} if the file can't be read
 */
export async function readGivenKey(given: GivenKey, setting: string): Promise<string> {
  if (given.from === 'text') return given.text
  try {
    return await readFile(given.path, 'utf8')
  } catch (error) {
    throw new KeyError(
      `${setting}: the value is not a key (a PEM that begins with -----BEGIN, or a JWK), and no file with this path can be read (${(error as NodeJS.ErrnoException).code ?? 'invalid path'})`,
    )
  }
}

async function readKeyFile(file: string, setting: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new KeyError(`${setting}: the key file ${file} can’t be read: ${(error as Error).message}`)
  }
}

async function withSetting(setting: string, key: Promise<SigningKey>): Promise<SigningKey> {
  try {
    return await key
  } catch (error) {
    if (error instanceof KeyError) throw new KeyError(`${setting}: ${error.message}`)
    throw error
  }
}
