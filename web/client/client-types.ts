/** The public types of the client. */
import type { ClientError } from './client-error.js'
import type { AsyncStorage } from './storage.js'

/** The session of this client. Each change creates a new object. */
export interface Session {
  readonly sid: string
  /** The time at which the session ends unless it is refreshed before. Unix seconds, by the clock of this machine. */
  readonly expiresAt: number
}

/** A session in the list of `sessions()`. Times are Unix seconds. */
export interface ListedSession {
  readonly sid: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
  readonly ip: string | null
  readonly userAgent: string | null
  readonly device: string | null
  /** True for the session of this client. */
  readonly current: boolean
}

export interface ClientOptions {
  /**
   * The server of the routes under `prefix`. Only its origin gets tokens, and relative URLs are resolved against it. The
   * page by default. Outside of a browser it is required.
   */
  baseUrl?: string | URL
  /** As the setting `prefix` of the server. */
  prefix?: string
  /**
   * - `memory` (default): the session ends with the page.
   * - `local`: `localStorage`, shared by all tabs. Any script of the origin can read the tokens.
   * - `cookie`: cookies that no script can read.
   * - a storage of your own.
   */
  storage?: 'memory' | 'local' | 'cookie' | AsyncStorage
  /** Called once when the session has ended other than by `logout()` of this client. `code` is one of docs/errors.md. */
  onSignedOut?: (code: string) => void
  /** Sends the requests instead of the global `fetch`. */
  fetch?: typeof fetch
}

/** The body of `POST /auth/login`. */
export interface Credentials {
  username: string
  password: string
  /** The user's name for the device. */
  device?: string
  /** In cookie mode, `false` ends the session with the browser. */
  remember?: boolean
}

export interface LogoutOptions {
  /** Ends all sessions of the user. */
  all?: boolean
  /** With `all`: ends all sessions except this one. */
  keepCurrent?: boolean
}

/** The part of an axios instance that is changed. */
export interface AxiosInstance {
  defaults: { adapter?: unknown; withCredentials?: unknown; env?: unknown }
}

export interface Client {
  /**
   * Begins a session.
   *
   * @throws {ClientError} `invalid_credentials`, `rate_limited` and others
   */
  login(credentials: Credentials): Promise<Session>
  /**
   * Ends the session on the server, then forgets it here. If it rejects, nothing is promised and the session is kept, so
   * call it again.
   *
   * @throws {ClientError}
   */
  logout(options?: LogoutOptions): Promise<void>
  /**
   * As the global `fetch`, with the access token in requests to the origin of `baseUrl`. A refresh that fails becomes the
   * response (or the rejection) of the request.
   *
   * The body of a `Request` is buffered, so that it can be sent twice. Pass a large body in the second parameter.
   *
   * @throws {ClientError} `body_not_replayable`: the token was refused, and the body was a stream. The token has been
   *   refreshed, so send the request again with a new stream.
   */
  readonly fetch: typeof fetch
  /**
   * Returns an access token, refreshed if less than a tenth of its life is left. `undefined` without a session, and in
   * cookie mode.
   *
   * @throws {ClientError} if it has expired and can't be refreshed now
   */
  token(): Promise<string | undefined>
  /** Returns the session that this client knows, or `undefined`. Sends no request. */
  session(): Session | undefined
  /**
   * Lists all sessions of the user.
   *
   * @throws {ClientError}
   */
  sessions(): Promise<ListedSession[]>
  /**
   * Calls the listener with each change of `session()`. Returns the function that removes the listener.
   *
   * @example
   * const session = useSyncExternalStore(client.onChange, client.session)
   */
  onChange(listener: (session: Session | undefined) => void): () => void
  /** Lets an axios instance (1.12 or later) send its requests by `fetch` of this client. Returns the instance. */
  axios<T extends AxiosInstance>(instance: T): T
  /** Resolves a URL as `fetch` of this client does. `isOurs` is true if requests to it carry a token. */
  resolve(url: string | URL): { url: URL; isOurs: boolean }
}

export type { AsyncStorage, ClientError }
