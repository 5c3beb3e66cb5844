/**
 * What a worker of `serve --workers N` runs: a whole gateway without an admin listener, which its primary starts,
 * asks and stops. No verb.
 */
import closeWithGrace from 'close-with-grace'
import type { GatewaySettings } from '../config.js'
import { createLogger } from '../logger.js'
import { openGateway, stopDelay } from '../server.js'
import type { Gateway } from '../server.js'
import type { Order, Report } from '../workers/messages.js'
import { isExpected } from './command.js'

// Whoever stops a service signals all of its processes; when a worker ends is the primary's decision.
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const
for (const signal of SIGNALS) process.on(signal, () => {})

let gateway: Gateway | undefined
let stop = (): unknown => process.exit(0)

process.on('message', (order: Order) => {
  if (order.type === 'start') void start(order.settings)
  else if (order.type === 'stop') stop()
  else if (order.type === 'end-drain') gateway?.endDrain()
  else void measure()
})
// Until there is a gateway, nothing else keeps this process.
process.channel!.ref()
tell({ type: 'ready' })

async function start(settings: GatewaySettings): Promise<void> {
  try {
    gateway = await openGateway(settings, createLogger(settings.log))
  } catch (error) {
    if (!isExpected(error)) throw error
    stop = () => process.exit(1)
    return tell({ type: 'refused', reason: error.message })
  }
  const { url, stop: stopGateway, endDrain, close } = gateway
  const grace = closeWithGrace(
    { delay: stopDelay(settings), logger: false, skip: [...SIGNALS] },
    async ({ err }) => {
      if (err) {
        console.error(err)
        endDrain()
      }
      await stopGateway(() => tell({ type: 'listener-closed' }))
      await close()
    },
  )
  stop = grace.close
  tell({ type: 'listening', url })
}

async function measure(): Promise<void> {
  const metrics = await gateway?.core.metrics.registry.getMetricsAsJSON()
  if (metrics) tell({ type: 'measured', metrics })
}

function tell(report: Report): void {
  // Where the primary is gone, this process is about to be, too.
  process.send!(report, () => {})
}
