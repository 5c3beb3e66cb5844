import { readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const GIVE_UP_AFTER_MS = 10 * 60_000

/**
 * Runs `work` while no other process holds the lock at `path`. Calls `onWait` once if another process holds it.
 *
 * The lock is a symbolic link whose target is the process id of its owner. Link and id are created in one step, so a
 * lock always has an owner. A lock whose owner is dead is removed.
 *
 * @throws {Error} if the lock isn't released within 10 minutes
 */
export async function exclusively(path, work, onWait) {
  const deadline = Date.now() + GIVE_UP_AFTER_MS
  let hasWaited = false
  while (!take(path)) {
    if (isAbandoned(path)) removeAbandoned(path)
    else if (!hasWaited) {
      hasWaited = true
      onWait(ownerOf(path))
    }
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
    return undefined // The lock has been released.
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
 * Removes the lock under a second lock, after another check. Without the second lock, two waiting processes could both
 * see a dead owner, and the slower one would remove the new lock of the faster one.
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
