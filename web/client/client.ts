/** A client for browsers and Node. It has no dependencies. docs/client.md describes it. */
export { createClient } from './create-client.js'
export { ClientError } from './client-error.js'
export { openEventSource, openWebSocket } from './live-streams.js'
export type {
  AsyncStorage,
  AxiosInstance,
  Client,
  ClientOptions,
  Credentials,
  ListedSession,
  LogoutOptions,
  Session,
} from './client-types.js'
