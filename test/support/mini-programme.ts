/** Runs `examples/schemes/dual-token` with a users file of the test's own, and its mini-programme on several phones. */
import { hash } from '@node-rs/bcrypt'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { home } from './gateway-process.js'
import { moveTime, untilReady } from './moved-time.js'
import { startExample } from './scheme-examples.js'

export interface EnvelopeResponse {
  readonly statusCode: number
  readonly data: {
    readonly code: number
    readonly message: string
    readonly data: Readonly<Record<string, unknown>> | null
  }
}

interface Callbacks {
  readonly success?: (response: EnvelopeResponse) => void
  readonly fail?: (error: { errMsg: string }) => void
}

interface Options extends Callbacks {
  readonly url?: string
  readonly method?: string
  readonly data?: object
}

interface Wx {
  getStorageSync(key: string): string
  setStorageSync(key: string, value: string): void
  removeStorageSync(key: string): void
  reLaunch(page: { url: string }): void
  request(options: Options): void
}

type Call = (options: Options) => void

interface Client {
  createWx(): Wx
  createRequest(wx: Wx, server: string): { request: Call; login: Call; logout: Call }
}

/** Credentials of a user in the example's file. */
export const ADA = { username: 'ada', password: 'demo-ada-1843' }
export async function startDualToken(t: Test, store: string) {
  const directory = await home(t)
  const users = join(directory, 'users')
  await writeFile(users, await readFile('examples/schemes/dual-token/users.htpasswd'))
  const options = { store, users, keys: { dir: join(directory, 'keys') } }
  const { apps, urls, client } = await startExample<Client>(t, 'dual-token', options)

  /** A mini-programme on one phone, with promises for its callbacks. */
  function open() {
    const wx = client.createWx()
    const pages: string[] = []
    const sent: string[] = []
    wx.reLaunch = ({ url }) => void pages.push(url)
    const send = wx.request
    wx.request = (given) => {
      sent.push(new URL(given.url!).pathname)
      send(given)
    }
    const { request, login, logout } = client.createRequest(wx, urls[0]!)
    const promise = (call: Call, given: Options = {}) =>
      new Promise<EnvelopeResponse>((success, reject) => {
        call({ ...given, success, fail: ({ errMsg }) => reject(new Error(errMsg)) })
      })
    return {
      wx,
      /** The pages that the programme has opened. */
      pages,
      /** The paths of its requests. */
      sent,
      login: (data: object = ADA) => promise(login, { data }),
      logout: () => promise(logout),
      user: () => promise(request, { url: '/user' }),
      access: () => wx.getStorageSync('access_token'),
      refresh: () => wx.getStorageSync('refresh_token'),
    }
  }

  return {
    app: apps[0]!,
    open,
    async get(path: string, token?: string): Promise<EnvelopeResponse & { readonly headers: Headers }> {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const response = await fetch(urls[0] + path, { headers })
      const data = (await response.json()) as EnvelopeResponse['data']
      return { statusCode: response.status, data, headers: response.headers }
    },
    /** Replaces the users file, as `portcullis users add` does. */
    async setPassword(password: string) {
      const others = (await readFile(users, 'utf8')).split('\n').filter((line) => !line.startsWith('ada:'))
      await writeFile(`${users}.new`, [`ada:${await hash(password, 4)}`, ...others].join('\n'))
      await rename(`${users}.new`, users)
    },
    /** Moves the time, and waits until the server can decide about tokens. */
    async move(milliseconds: number) {
      await moveTime(t, milliseconds)
      await untilReady(apps[0]!)
    },
  }
}
