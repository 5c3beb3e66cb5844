/** Portcullis as a gateway: `portcullis serve`, started as in production. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Peer } from '../peer.js'
import { sharedSettings } from '../portcullis-settings.js'
import type { Server, Servers } from '../processes.js'
import type { Setup } from '../setup.js'

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))

export async function startGateway(
  { script }: Servers,
  setup: Setup,
  auth: 'required' | 'none',
): Promise<Server> {
  const settings = {
    ...sharedSettings(setup),
    listen: { host: '127.0.0.1', port: 0 },
    admin: false,
    routes: [{ path: '/', upstream: setup.upstreamUrl, auth }],
  }
  // JSON is YAML.
  const file = join(setup.directory, `gateway-${auth}.yaml`)
  await writeFile(file, JSON.stringify(settings))
  return script(CLI, ['serve', '--config', file])
}

export const peers: Peer[] = [
  {
    name: 'gateway',
    title: 'Portcullis gateway',
    start: async (servers, setup) => [await startGateway(servers, setup, 'required')],
  },
  {
    name: 'gateway-open',
    title: 'Portcullis gateway, auth: none',
    isOpen: true,
    start: async (servers, setup) => [await startGateway(servers, setup, 'none')],
  },
]
