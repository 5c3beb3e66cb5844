/** Runs one server in this process: `serve.js <module> <server> <setup>` calls a function of the module's `servers`. */
import './probe.js'
import type { Serve } from './peer.js'
import type { Setup } from './setup.js'

const [module = '', name = '', setup = ''] = process.argv.slice(2)
const { servers } = (await import(module)) as { servers: Record<string, Serve> }
process.send!(await servers[name]!(JSON.parse(setup) as Setup))
