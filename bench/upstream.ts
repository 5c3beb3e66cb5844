/** The upstream of all proxies. It is as cheap as possible, doesn't run on the measured core, and isn't counted. */
import { createServer } from 'node:http'
import { listenServer } from './listen.js'
import { startNginx } from './nginx.js'
import { ANSWER } from './peer.js'
import type { Serve } from './peer.js'
import type { Server, Servers } from './processes.js'
import { isInstalled } from './programs.js'
import type { Setup } from './setup.js'

const BODY = JSON.stringify(ANSWER)

export const servers: Record<string, Serve> = {
  async node() {
    const headers = { 'content-type': 'application/json', 'content-length': BODY.length }
    return listenServer(createServer((_request, response) => response.writeHead(200, headers).end(BODY)))
  },
}

export async function startUpstream(rest: Servers, setup: Setup): Promise<Server> {
  if (process.platform !== 'linux' || !isInstalled('nginx')) return rest.serve(import.meta.url, 'node', setup)
  const locations = `location / { default_type application/json; return 200 '${BODY}'; }`
  return startNginx(rest, setup.directory, { locations })
}
