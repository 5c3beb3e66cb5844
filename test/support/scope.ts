/** What a server or a client must outlive: a tap test, or anything else that tells when it ends. */
export interface Scope {
  teardown(end: () => void | Promise<void>): unknown
}
