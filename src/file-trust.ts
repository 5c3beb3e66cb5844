/** Finds out who, besides this process and root, can read or replace a file that decides who may pass. */
import { lstat, stat } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { dirname } from 'node:path'

const READABLE_BY_OTHERS = 0o007
const WRITABLE_BY_OTHERS = 0o022
const GROUP = 0o070
const STICKY = 0o1000

/**
 * Returns sentences for the operator about a file or a directory that other users can change or, if it is secret, read.
 * They are warnings and not errors, because some mounts show every file as writable (Docker Desktop, SMB).
 *
 * A secret that Kubernetes has mounted is in order: symbolic links of root to files of root, in a directory with the
 * sticky bit, readable by root or by the group of the pod (`fsGroup`).
 *
 * @param what The kind of file, such as `the key file`.
 * @param isSecret True if nobody else may read it.
 */
export async function findTrustWarnings(path: string, what: string, isSecret: boolean): Promise<string[]> {
  const [found, link] = [await stat(path), await lstat(path)]
  const warnings: string[] = []
  const isSafeDirectory = found.isDirectory() && (found.mode & STICKY) !== 0 && found.uid === 0
  if (!isSafeDirectory && isOpen(found, isSecret)) {
    const bits = (found.mode & 0o777).toString(8)
    const wanted = found.isDirectory() ? 700 : isSecret ? 600 : 644
    warnings.push(`${what} ${path} is open to others (mode ${bits}); run chmod ${wanted} on it`)
  }
  if (isForeign(found)) {
    warnings.push(`${what} ${path} belongs to another user (uid ${found.uid}), who can change it`)
  }
  if (link.isSymbolicLink() && isForeign(link)) {
    warnings.push(`${what} ${path} is a symbolic link of another user (uid ${link.uid}), who can change it`)
  }
  return warnings
}

/** Returns a sentence for the operator if other users can replace the file, because they can write to its directory. */
export async function findReplaceWarnings(path: string, what: string): Promise<string[]> {
  const { mode } = await stat(dirname(path))
  if ((mode & 0o002) === 0 || (mode & STICKY) !== 0) return []
  return [`${what} ${path} can be replaced by others, who can write to its directory`]
}

function isOpen({ mode, uid, gid }: Stats, isSecret: boolean): boolean {
  if (!isSecret) return (mode & WRITABLE_BY_OTHERS) !== 0
  // The only way in which a process that isn't root can read a file of root.
  const isOurGroup = uid === 0 && process.getuid?.() !== 0 && (process.getgroups?.() ?? []).includes(gid)
  const forbidden = isOurGroup ? READABLE_BY_OTHERS | 0o020 : READABLE_BY_OTHERS | GROUP
  return (mode & forbidden) !== 0
}

/** Returns true if a user other than root and our own owns the file. Windows has no such ids. */
function isForeign({ uid }: Stats): boolean {
  const own = process.getuid?.()
  return own !== undefined && uid !== own && uid !== 0
}
