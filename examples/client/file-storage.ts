/** A storage of the client in a directory, for command lines and desktop applications. Processes share the session. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AsyncStorage } from 'portcullis/client'

/** After this time, the process that holds the lock must have ended. Longer than a refresh. */
const STALE_MILLISECONDS = 15_000

/** Only this user can read the files. */
export function fileStorage(directory: string): Required<AsyncStorage> {
  const pathOf = (key: string) => join(directory, encodeURIComponent(key))
  const create = () => mkdir(directory, { recursive: true, mode: 0o700 })

  async function ageOf(path: string): Promise<number> {
    return stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
  }

  return {
    getItem: (key) =>
      readFile(pathOf(key), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      }),
    async setItem(key, value) {
      await create()
      const path = pathOf(key)
      // No process reads half a file.
      const temporary = `${path}.${process.pid}.tmp`
      await writeFile(temporary, value, { mode: 0o600 })
      await rename(temporary, path)
    },
    removeItem: (key) => rm(pathOf(key), { force: true }),
    async lock(name, work) {
      await create()
      const lock = `${pathOf(name)}.lock`
      // Only one process can create the directory.
      while (
        !(await mkdir(lock).then(
          () => true,
          (error: NodeJS.ErrnoException) => {
            if (error.code !== 'EEXIST') throw error
            return false
          },
        ))
      ) {
        if ((await ageOf(lock)) > STALE_MILLISECONDS) await rm(lock, { recursive: true, force: true })
        else await sleep(20)
      }
      try {
        return await work()
      } finally {
        await rm(lock, { recursive: true, force: true })
      }
    },
  }
}
