/** `users add` while a gateway reads the file. */
import { chmod, chown, lstat, open, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { replaceFile } from '../../src/commands/replace-file.js'
import { home } from '../support/gateway-process.js'

t.test('a reader has the whole old file or the whole new one, never a part', async (t) => {
  const file = join(await home(t), 'users.htpasswd')
  const former = await readFile(file, 'utf8')
  const reader = await open(file)
  t.teardown(() => reader.close())
  await replaceFile(file, 'eve:hash\n')
  t.equal(await reader.readFile('utf8'), former, 'one that had opened it before')
  t.equal(await readFile(file, 'utf8'), 'eve:hash\n')
})

t.test('mode, owner and link are kept, and nothing is left beside it', async (t) => {
  const directory = await home(t)
  const file = join(directory, 'users.htpasswd')
  const link = join(directory, 'link')
  await symlink(file, link)
  await chmod(file, 0o640)
  const isRoot = process.getuid?.() === 0
  if (isRoot) await chown(file, 12, 34)
  const [former, names] = [await stat(file), await readdir(directory)]
  await replaceFile(link, 'eve:hash\n')
  t.ok((await lstat(link)).isSymbolicLink())
  const { mode, uid, gid, ino } = await stat(file)
  t.strictSame({ mode, uid, gid }, { mode: former.mode, uid: former.uid, gid: former.gid })
  t.not(ino, former.ino)
  t.strictSame(await readdir(directory), names)
})

t.test('a new file is for its owner only; one that can’t be replaced is left as it was', async (t) => {
  const directory = await home(t)
  const file = join(directory, 'new')
  await replaceFile(file, 'eve:hash\n')
  t.equal((await stat(file)).mode & 0o777, 0o600)
  await t.rejects(replaceFile(directory, 'x'), { code: /^(?:EISDIR|ENOTEMPTY|EEXIST|EPERM|EBUSY|ENOTDIR)$/ })
  await writeFile(join(directory, 'left'), '')
  t.strictSame(
    (await readdir(directory)).filter((name) => name.startsWith('.')),
    [],
  )
})
