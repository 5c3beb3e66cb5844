/** Checks the settings of the gateway's own pages (`pages`). */
import { OWN_PATHS, isBeneath } from '../own-paths.js'
import type { PagePaths } from '../own-paths.js'
import type { Rule } from './rule.js'
import type { RouteSettings, Settings } from './settings.js'

const collide = (a: string, b: string) => isBeneath(a, b) || isBeneath(b, a)

/** Returns the error message if a path of the gateway collides with a page, else `false`. */
function collision(page: string | undefined, prefix: string): string | false {
  const taken = [prefix, ...OWN_PATHS].find((path) => page !== undefined && collide(page, path))
  return (
    taken !== undefined &&
    `${JSON.stringify(page)} collides with ${taken}; choose another path, such as /login or /account`
  )
}

export const PAGE_RULES: readonly Rule<Settings>[] = [
  { keys: ['pages.login', 'prefix'], wrong: ({ pages, prefix }) => collision(pages?.login, prefix) },
  { keys: ['pages.account', 'prefix'], wrong: ({ pages, prefix }) => collision(pages?.account, prefix) },
  {
    keys: ['pages.account', 'pages.login'],
    wrong: ({ pages }) =>
      pages !== undefined &&
      collide(pages.account, pages.login) &&
      `${JSON.stringify(pages.account)} collides with pages.login; choose another path, such as /account`,
  },
  {
    keys: ['pages', 'cookies.enabled', 'accept.from'],
    wrong: ({ pages, cookies, accept }) =>
      pages !== undefined &&
      !(cookies.enabled && accept.from.includes('cookie')) &&
      'needs token cookies; set cookies.enabled to true and add cookie to accept.from, or remove pages',
  },
  {
    keys: ['pages', 'login'],
    wrong: ({ pages, login }) =>
      pages !== undefined &&
      login.users === undefined &&
      login.http === undefined &&
      'needs a login; set login.users or login.http, or remove pages',
  },
]

/** Finds routes that claim a path of a page. Returns pairs of setting and error message. */
export function findPageMistakes(
  routes: readonly RouteSettings[],
  pages: PagePaths,
): [key: string, message: string][] {
  if (pages === undefined) return []
  return routes.flatMap(({ path }, i): [string, string][] => {
    const taken = isBeneath(path, pages.account) ? 'pages.account' : 'pages.login'
    if (taken === 'pages.login' && path !== pages.login) return []
    return [[`routes[${i}].path`, `${JSON.stringify(path)} is the page of ${taken}; choose another path`]]
  })
}
