import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import type { Milliseconds } from '../clock.js'
import type { Log } from '../logger.js'
import type { Session } from '../session/session.js'
import { fingerprint } from './credential.js'
import type { UsersFile } from './users-file.js'
import { findUser } from './users-parser.js'
import type { Users } from './users-parser.js'

/**
 * Ends all sessions of these subjects for which `isOutdated` returns true, and returns their number. Rejects if it is
 * unknown whether all of them have ended. It can be repeated then.
 */
export type EndOutdated = (
  subs: readonly string[],
  isOutdated: (session: Session) => boolean,
) => Promise<number>

/** Users that are compared in one turn of the event loop. */
const TURN = 5_000
/** Subjects whose sessions are ended at once. They share the wait for the other instances. */
const BATCH = 50
/** Time from a change until its first session ends. A program that writes the file in pieces can finish in this time. */
const SETTLE: Milliseconds = 250
/** The shortest and the longest delay before a failed batch is tried again. */
const MIN_DELAY: Milliseconds = 500
const MAX_DELAY: Milliseconds = 15_000

/**
 * Watches a users file, and ends the sessions of users who were removed or got another hash. Every instance does that
 * for the sessions of all instances.
 *
 * A session is outdated if its fingerprint isn't the one of the user's hash as the file is now. Times don't decide: a
 * login with the new password on an instance that has read the file earlier must survive.
 *
 * While Redis can't be reached, the work is repeated until it is done, because the same change isn't noticed again. If
 * this process ends earlier, the other instances do the work. An outdated session can't be refreshed in any case.
 */
export class ChangedUsers {
  readonly #users: UsersFile
  readonly #end: EndOutdated
  readonly #log: Log
  /** The subjects whose sessions may be outdated. */
  readonly #pending = new Set<string>()
  readonly #stop = new AbortController()
  #comparing: Promise<void> = Promise.resolve()
  #isEnding = false

  /** Starts to watch the file. */
  constructor(users: UsersFile, end: EndOutdated, log: Log) {
    this.#users = users
    this.#end = end
    this.#log = log
    users.watch((before, after) => {
      this.#comparing = this.#comparing.then(() => this.#compare(before, after))
    })
  }

  /** Stops the work. A batch in progress isn't awaited, because Redis may not respond. */
  close(): void {
    this.#users.close()
    this.#stop.abort()
  }

  /** Finds the users who were removed or have another hash, in many turns of the event loop. */
  async #compare(before: Users, after: Users): Promise<void> {
    let [removed, changed] = [0, 0]
    for (const [i, { name, hash }] of before.list.entries()) {
      if (i % TURN === TURN - 1) await nextTurn()
      const user = findUser(after, name)
      if (user?.hash === hash) continue
      if (user === undefined) removed += 1
      else changed += 1
      this.#pending.add(name)
    }
    const added = after.list.length - (before.list.length - removed)
    this.#log.info(
      { event: 'users_changed', users: after.list.length, added, removed, changed },
      'the users file was read again',
    )
    if (this.#pending.size > 0 && !this.#isEnding) void this.#endPending()
  }

  /** Ends the sessions of all users in `#pending`, also of those that are added meanwhile. Never rejects. */
  async #endPending(): Promise<void> {
    this.#isEnding = true
    let [delay, failures, sessions] = [SETTLE, 0, 0]
    while (this.#pending.size > 0) {
      await wait(delay, undefined, { ref: false, signal: this.#stop.signal }).catch(() => {})
      if (this.#stop.signal.aborted) return
      // The file may have changed again, so that a session is valid now.
      await this.#users.refresh()
      const subs = takeSome(this.#pending, BATCH)
      try {
        sessions += await this.#end(subs, (session) => isOutdated(this.#users, session))
        ;[delay, failures] = [0, 0]
      } catch (error) {
        if (this.#stop.signal.aborted) return
        for (const sub of subs) this.#pending.add(sub)
        delay = Math.min(MIN_DELAY * 2 ** failures, MAX_DELAY)
        failures += 1
        this.#log.warn(
          {
            event: 'outdated_sessions_failed',
            err: error,
            users: this.#pending.size,
            retryAfter: delay / 1000,
          },
          'sessions of changed users couldn’t be ended, which is tried again',
        )
      }
    }
    this.#isEnding = false
    this.#log.info({ event: 'outdated_sessions_ended', sessions }, 'sessions of changed users were ended')
  }
}

/** Returns true if a session was started with another password than its user has now, or if the user is gone. */
export function isOutdated(users: UsersFile, { sub, credential }: Session): boolean {
  // The host itself has started a session without a fingerprint. The users file says nothing about its subject.
  if (credential === undefined) return false
  const user = users.find(sub)
  return user === undefined || fingerprint(user.hash) !== credential
}

/** Removes the first items from a set, and returns them. */
function takeSome(items: Set<string>, count: number): string[] {
  const some: string[] = []
  for (const item of items) {
    if (some.length === count) break
    some.push(item)
    items.delete(item)
  }
  return some
}
