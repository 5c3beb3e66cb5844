import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Replaces a file, or creates it with mode 600. A reader sees the whole old content or the whole new one: the content is
 * written beside the file, which is then renamed. The mode and the owner of an existing file are kept. A symbolic link
 * stays, and its target is replaced.
 *
 * @throws {Error} if the directory can't be written, or if the file belongs to another user. The file is unchanged then.
 */
export async function replaceFile(file: string, content: string): Promise<void> {
  const target = await realpath(file).catch(() => file)
  const former = await stat(target).catch(() => undefined)
  const beside = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  const handle = await open(beside, 'wx', 0o600)
  try {
    try {
      await handle.writeFile(content)
      if (former) {
        const { uid, gid } = await handle.stat()
        if (former.uid !== uid || former.gid !== gid) await handle.chown(former.uid, former.gid)
        await handle.chmod(former.mode & 0o7777)
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}
