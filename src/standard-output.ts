import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import type { Write } from './log-output.js'

const STDOUT = 1

/**
 * Opens the standard output for {@link Write}. Writes to pipes, sockets and terminals use a non-blocking descriptor. A
 * blocking one would hold a thread of Node's pool, and the process could not even exit before the reader continues.
 */
export function openStandardOutput(): Write {
  let fd: number | undefined
  try {
    const stat = fstatSync(STDOUT)
    fd = stat.isFile() ? undefined : openNonBlocking(stat.isFIFO() || stat.isSocket())
  } catch {
    // The descriptor is closed, so each write fails and is repeated.
  }
  if (fd === undefined) {
    // Writing to a file can take long while the disk is busy. So it is done by a thread.
    return (bytes, done) => write(STDOUT, bytes, 0, bytes.length, null, done)
  }
  const nonBlocking = fd
  return (bytes, done) => {
    let written: number
    try {
      written = writeSync(nonBlocking, bytes)
    } catch (error) {
      return done(error as NodeJS.ErrnoException, 0)
    }
    done(null, written)
  }
}

/**
 * Returns a non-blocking descriptor of the standard output. A new one, if possible, because the flag of descriptor 1 is
 * shared with other processes. `undefined` if there is none.
 */
function openNonBlocking(isStream: boolean): number | undefined {
  try {
    // Linux opens the same pipe or terminal again. Other systems would only copy the descriptor.
    if (process.platform !== 'linux') throw new Error('there is no /proc')
    return openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    // A socket can't be opened again. Node makes pipes and sockets non-blocking when it creates `process.stdout`.
    return isStream && process.stdout.writable ? STDOUT : undefined
  }
}
