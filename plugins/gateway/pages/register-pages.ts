import type { FastifyInstance } from 'fastify'
import type { Core } from '../../../src/app/core.js'
import { makeOurOwn, withMethodNotAllowed } from '../../routes/context.js'
import { accountPageRoutes } from './account-page.js'
import { continueRoute } from './continue-session.js'
import { fileRoutes, readPageFiles } from './files.js'
import { loginPageRoutes } from './login-page.js'
import { filesPath } from './pages-context.js'
import type { PagesSettings } from './pages-context.js'

/**
 * Adds the gateway's own pages, and the files that they load.
 *
 * @throws {StartError} if a file of the operator can't be used
 */
export async function registerPages(
  app: FastifyInstance,
  core: Core,
  pages: PagesSettings | undefined,
): Promise<void> {
  const { authenticator } = core
  if (pages === undefined || authenticator === undefined) return
  const dependencies = { core, pages }
  const files = await readPageFiles(pages)
  await app.register(async (context) => {
    makeOurOwn(context)
    withMethodNotAllowed(context, () => {
      loginPageRoutes(context, dependencies, authenticator)
      accountPageRoutes(context, dependencies)
    })
  })
  await app.register(
    async (context) => {
      makeOurOwn(context)
      withMethodNotAllowed(context, () => {
        fileRoutes(context, files)
        continueRoute(context, dependencies)
      })
    },
    { prefix: filesPath(core) },
  )
}
