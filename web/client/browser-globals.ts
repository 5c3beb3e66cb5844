/** The globals that only browsers have. The client is compiled for Node, too, so their types are declared here. */
import type { Lock } from './lock.js'
import type { AsyncStorage } from './storage.js'

interface BrowserGlobals {
  readonly document: { readonly baseURI: string }
  readonly location: { readonly href: string }
  readonly localStorage: AsyncStorage
  readonly navigator: { readonly locks?: { request: Lock } }
  readonly addEventListener: (type: 'storage', listener: () => void) => void
  readonly BroadcastChannel: new (name: string) => {
    addEventListener(type: 'message', listener: () => void): void
    postMessage(message: unknown): void
  }
}

export const browser = globalThis as unknown as Partial<BrowserGlobals>
