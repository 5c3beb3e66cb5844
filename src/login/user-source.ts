import type { PluginSettings } from '../config.js'
import { findReplaceWarnings, findTrustWarnings } from '../file-trust.js'
import type { Log } from '../logger.js'
import type { Authenticator } from './authenticator.js'
import { ChangedUsers, isOutdated } from './changed-users.js'
import type { EndOutdated } from './changed-users.js'
import { fingerprint } from './credential.js'
import { createHostCheck } from './host-check.js'
import { callHostLogin } from './host-login.js'
import { createHttpCheck } from './http-check.js'
import { createHttpLogin } from './http-login.js'
import type { LoginHttp } from './http-login.js'
import { combineChecks } from './user-check.js'
import type { UserCheck } from './user-check.js'
import { createUsersCheck } from './users-check.js'
import { UsersFile, hashingSlots } from './users-file.js'
import { WorkSlots } from './work-slots.js'

/** The source of users: it verifies credentials, and reads the users of sessions again. */
export interface UserSource {
  /** `undefined` without a login. Then there is no login route, and the host calls `issue` itself. */
  readonly authenticator: Authenticator | undefined
  /** Reads the user of a session again at each refresh. `undefined` if nothing is configured for that. */
  readonly onRefresh: UserCheck | undefined
  /** Starts to end the sessions of users who are removed or get another password. Only a users file can notice that. */
  watch(end: EndOutdated): void
  /** Stops everything that runs in the background, and closes connections. */
  close(): Promise<void>
}

/** Logins that may wait for a slot. Further logins are refused. */
const MAX_QUEUED = 100
/** Concurrent logins by a host's function or a legacy API. They mostly wait for I/O, unlike password hashing. */
const WAITING_SLOTS = 32

/** One kind of source: a users file, a legacy API, or a function of the host. */
interface Source {
  readonly authenticator?: Authenticator
  readonly check?: UserCheck | undefined
  watch?(end: EndOutdated): void
  close?(): Promise<unknown>
}

/**
 * Opens the source of users.
 *
 * @param processes Processes on this machine that hash passwords. They share its cores.
 * @throws {UsersFileError} if the users file can't be read or has an invalid line
 */
export async function openUserSource(
  { login, onRefresh }: Pick<PluginSettings, 'login' | 'onRefresh'>,
  log: Log,
  processes: number,
): Promise<UserSource> {
  const source = await openSource(login, log, processes)
  const checks = [source.check, onRefresh && createHostCheck(onRefresh, log)]
  return {
    authenticator: source.authenticator,
    onRefresh: combineChecks(checks.filter((check) => check !== undefined)),
    watch: (end) => source.watch?.(end),
    close: async () => void (await source.close?.()),
  }
}

async function openSource(login: PluginSettings['login'], log: Log, processes: number): Promise<Source> {
  if (typeof login === 'function') {
    const authenticator: Authenticator = {
      slots: new WorkSlots(WAITING_SLOTS, MAX_QUEUED),
      authenticate: (credentials, _ip, request) => callHostLogin(login, credentials, request),
    }
    return { authenticator }
  }
  if (login.http !== undefined) return openLegacyApi(login.http, log)
  if (login.users !== undefined) return openUsersFile(login.users, log, processes)
  return {}
}

function openLegacyApi(http: LoginHttp, log: Log): Source {
  const logins = createHttpLogin(http, WAITING_SLOTS, log)
  const checks =
    http.refresh === undefined ? undefined : createHttpCheck(http, http.refresh, WAITING_SLOTS, log)
  return {
    authenticator: {
      slots: new WorkSlots(WAITING_SLOTS, MAX_QUEUED),
      authenticate: (credentials, ip) => logins.authenticate(credentials, ip),
    },
    check: checks?.check,
    close: () => Promise.all([logins.close(), checks?.close()]),
  }
}

async function openUsersFile(file: string, log: Log, processes: number): Promise<Source> {
  const users = await UsersFile.open(file, (reason) => log.error({ event: 'users_file', reason }, reason))
  const warnings = [
    ...(await findTrustWarnings(file, 'the users file', false)),
    ...(await findReplaceWarnings(file, 'the users file')),
  ]
  for (const warning of warnings) log.warn({ event: 'users_file_warning' }, warning)
  let changed: ChangedUsers | undefined
  return {
    authenticator: {
      slots: new WorkSlots(hashingSlots(processes), MAX_QUEUED),
      async authenticate({ username, password }) {
        const user = await users.verify(username, password)
        if (user === undefined) return null
        return { sub: user.name, scope: user.scope, credential: fingerprint(user.hash) }
      },
      isOutdated: (session) => isOutdated(users, session),
    },
    check: createUsersCheck(users),
    watch(end) {
      changed = new ChangedUsers(users, end, log)
    },
    close: async () => changed?.close(),
  }
}
