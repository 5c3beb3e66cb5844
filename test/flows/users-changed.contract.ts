/** A changed users file ends the sessions of its removed users and of changed passwords, and no others. */
import { hash } from '@node-rs/bcrypt'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { USERS, call, claimsOf, isRefused, logIn, soon } from '../support/gateway-process.js'
import type { Tokens } from '../support/gateway-process.js'

/** Two gateways with one store and one directory. The second may be the first. */
export interface TwoGateways {
  readonly here: string
  readonly there: string
  readonly directory: string
}

export type OpenTwoGateways = (t: Test) => Promise<TwoGateways>

const refresh = (url: string, { refresh_token }: Tokens) =>
  call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
const me = (url: string, { access_token }: Tokens) => call(url, 'GET', '/auth/me', { token: access_token })

/** Replaces the users file in one step. */
async function editUsers(directory: string, edit: (text: string) => string): Promise<void> {
  const file = join(directory, 'users.htpasswd')
  await writeFile(`${file}.new`, edit(await readFile(file, 'utf8')))
  await rename(`${file}.new`, file)
}

export function usersChangedContract(t: Test, open: OpenTwoGateways): void {
  t.test('sessions of a removed user end by themselves, on every instance', async (t) => {
    const { here, there, directory } = await open(t)
    const [ada, bob] = [await logIn(here, 'ada'), await logIn(there, 'bob')]
    await editUsers(directory, (text) => text.replace(/^ada:.*\n/m, ''))
    for (const url of [here, there]) {
      await soon('her access token is refused', async () => (await me(url, ada)).status === 401)
      isRefused(t, await me(url, ada), 401, 'session_ended')
      isRefused(t, await refresh(url, ada), 401, 'session_ended')
      t.equal((await me(url, bob)).status, 200, 'others stay')
    }
    t.equal((await refresh(here, bob)).status, 200)
  })

  t.test('a refresh is refused at once, even before the change is noticed', async (t) => {
    const { here, there, directory } = await open(t)
    const ada = await logIn(here, 'ada')
    await editUsers(directory, (text) => text.replace(/^ada:.*\n/m, ''))
    isRefused(t, await refresh(there, ada), 401, 'session_ended')
    isRefused(t, await me(here, ada), 401, 'session_ended')
  })

  t.test('a changed password ends the sessions before it, and not a login with the new one', async (t) => {
    const { here, there, directory } = await open(t)
    const old = await logIn(here, 'ada')
    const line = `ada:${await hash('new-password', 4)}`
    await editUsers(directory, (text) => text.replace(/^ada:.*$/m, line))
    const login = await call(there, 'POST', '/auth/login', {
      json: { username: 'ada', password: 'new-password' },
    })
    const fresh = login.body as Tokens
    t.equal(login.status, 200)
    for (const url of [here, there]) {
      await soon('the old session has ended', async () => (await me(url, old)).status === 401)
      t.equal((await me(url, fresh)).status, 200, 'the new one continues')
    }
    isRefused(t, await refresh(here, old), 401, 'session_ended')
    t.equal((await refresh(here, fresh)).status, 200)
    const withOld = { username: 'ada', password: USERS.ada }
    isRefused(t, await call(here, 'POST', '/auth/login', { json: withOld }), 401, 'invalid_credentials')
  })

  t.test('changed scopes end nothing, and show at the next refresh', async (t) => {
    const { here, there, directory } = await open(t)
    const [ada, bob] = [await logIn(here, 'ada'), await logIn(here, 'bob')]
    t.equal(claimsOf(ada.access_token).scope, undefined)
    await editUsers(directory, (text) => text.replace(/^ada:.*$/m, '$&:read write'))
    const first = await refresh(there, ada)
    t.equal(claimsOf(first.body.access_token).scope, 'read write')
    // The change is noticed by the end of his session at the latest.
    await editUsers(directory, (text) => text.replace(/^bob:.*\n/m, '').replace(':read write', ''))
    await soon('the next change was noticed', async () => (await me(there, bob)).status === 401)
    for (const tokens of [ada, first.body]) t.equal((await me(here, tokens)).status, 200)
    const second = await refresh(here, first.body)
    t.equal(second.status, 200)
    t.equal(claimsOf(second.body.access_token).scope, undefined, 'removed scopes are gone')
  })

  t.test('an unreadable version ends nothing', async (t) => {
    const { here, there, directory } = await open(t)
    const ada = await logIn(here, 'ada')
    await editUsers(directory, () => 'half a li')
    t.equal((await refresh(there, ada)).status, 200)
    await editUsers(directory, () => '')
    t.equal((await me(here, ada)).status, 200)
    t.equal((await logIn(here, 'ada')).session_id.length, 22, 'the previous users can log in')
  })
}
