import { readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const GIVE_UP_AFTER_MS = 10 * 60_000

/**
 * Runs `work` while no other process holds the lock at `path`. The lock is a symbolic link whose target is its
 * holder's process id: link and id come into being in one step, so a lock is never without an owner. One whose
 * owner is dead is removed.
 */
export async function exclusively(path, work) {
  const deadline = Date.now() + GIVE_UP_AFTER_MS
  while (!take(path)) {
    if (isAbandoned(path)) removeAbandoned(path)
    if (Date.now() > deadline) {
      throw new Error(`${path} has been locked by process ${ownerOf(path)} for too long; if it hangs, end it`)
    }
    await sleep(50)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

function take(path) {
  try {
    symlinkSync(String(process.pid), path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function ownerOf(path) {
  try {
    return Number(readlinkSync(path))
  } catch {
    return undefined // released meanwhile
  }
}

function isAbandoned(path) {
  const owner = ownerOf(path)
  if (owner === undefined) return false
  try {
    process.kill(owner, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/**
 * Two that wait must not both remove: the slower would take away the lock that the faster then made. So look again
 * under a second lock.
 */
function removeAbandoned(path) {
  const breaking = `${path}.breaking`
  if (!take(breaking)) return
  try {
    if (isAbandoned(path)) rmSync(path, { force: true })
  } finally {
    rmSync(breaking, { force: true })
  }
}
