/**
 * The program of a worker of `serve --workers N`. A worker is a whole gateway without an admin listener. Its primary
 * starts it, requests its metrics, and stops it.
 */
import closeWithGrace from 'close-with-grace'
import type { GatewaySettings } from '../config.js'
import { createLogger, flushLog } from '../logger.js'
import { openGateway, stopDelay } from '../server.js'
import type { Gateway } from '../server.js'
import type { Order, Report } from '../workers/messages.js'
import { isExpected } from './command.js'

// A service manager or a terminal signals all processes at once. But only the primary decides when a worker stops.
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const
for (const signal of SIGNALS) process.on(signal, () => {})

let gateway: Gateway | undefined
let stop = (): unknown => exit(0)

process.on('message', (order: Order) => {
  if (order.type === 'start') void start(order.settings)
  else if (order.type === 'stop') stop()
  else if (order.type === 'end-drain') gateway?.endDrain()
  else if (order.type === 'reload') void gateway?.reload()
  else void measure()
})
// Before the gateway listens, only the reference to this channel keeps the process alive.
process.channel!.ref()
send({ type: 'ready' })

async function start(settings: GatewaySettings): Promise<void> {
  try {
    gateway = await openGateway(settings, createLogger(settings.log))
  } catch (error) {
    if (!isExpected(error)) throw error
    stop = () => exit(1)
    return send({ type: 'refused', reason: error.message })
  }
  const { url, stop: stopGateway, endDrain, close } = gateway
  const grace = closeWithGrace(
    { delay: stopDelay(settings), logger: false, skip: [...SIGNALS] },
    async ({ err }) => {
      if (err) {
        console.error(err)
        endDrain()
      }
      await stopGateway(() => send({ type: 'listener-closed' }))
      await close()
      await flushLog()
    },
  )
  stop = grace.close
  send({ type: 'listening', url })
}

async function measure(): Promise<void> {
  const metrics = await gateway?.core.metrics.registry.getMetricsAsJSON()
  if (metrics) send({ type: 'measured', metrics })
}

async function exit(code: number): Promise<never> {
  await flushLog()
  process.exit(code)
}

function send(report: Report): void {
  // Sending fails if the primary has ended. This process then ends, too, so the error is ignored.
  process.send!(report, () => {})
}
