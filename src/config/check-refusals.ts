import type { RouteSettings } from './settings.js'

/** Finds routes whose `hidden` or `onAnonymous` can have no effect. Returns pairs of setting and error message. */
export function findRefusalMistakes(
  routes: readonly RouteSettings[],
  loginPage: string | undefined,
): [key: string, message: string][] {
  const found: [string, string][] = []
  routes.forEach(({ hidden, onAnonymous, auth, cors }, i) => {
    const redirects = onAnonymous === 'redirect'
    const needsToken = (key: string) => {
      if (auth !== 'required') {
        found.push([
          `routes[${i}].${key}`,
          `needs auth: required, but auth is ${auth}, so everybody sees the route; write auth: required, or remove ${key}`,
        ])
      }
    }
    if (hidden) needsToken('hidden')
    if (redirects) needsToken('onAnonymous')
    if (hidden && redirects) {
      found.push([
        `routes[${i}].onAnonymous`,
        'is redirect, but a redirect reveals a hidden route; remove this setting or hidden',
      ])
    }
    if (hidden && cors === 'upstream') {
      found.push([
        `routes[${i}].cors`,
        'is upstream, but its preflights pass without a token and reveal a hidden route; remove this setting or hidden',
      ])
    }
    if (redirects && loginPage === undefined) {
      found.push([
        `routes[${i}].onAnonymous`,
        'is redirect, which needs login.page; set that to a path such as /login',
      ])
    }
  })
  return found
}
