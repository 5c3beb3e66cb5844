/**
 * The workers of `serve --workers N`, as seen by their primary. They are processes of node:cluster on one port, and each
 * is a whole gateway. A worker that dies is always replaced.
 */
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import type { Milliseconds } from '../clock.js'
import type { GatewaySettings } from '../config.js'
import { StartError } from '../start-error.js'
import { noteHandedOver } from './handed-over.js'
import type { MetricValues } from '../metrics/summed-metrics.js'
import type { Order, Report } from './messages.js'

export interface WorkersDependencies {
  readonly log: {
    info(record: object, message: string): void
    error(record: object, message: string): void
  }
  /** Called when a worker is started to replace a dead one. */
  readonly onRestart: () => void
  /** Called with the metrics of a worker. */
  readonly onMeasured: (id: number, metrics: MetricValues) => void
  /** Called when a worker has ended. No more metrics of it follow. */
  readonly onEnd: (id: number) => void
}

/** The delay before a dead worker is replaced. It doubles with each death in a row, up to `MAX_DELAY`. */
const MIN_DELAY: Milliseconds = 100
const MAX_DELAY: Milliseconds = 5_000
/** A worker that has listened for this time is stable: its death doesn't count as one in a row. */
const STEADY_AFTER: Milliseconds = 10_000
/** The longest time to wait for the metrics of a worker. */
const MEASURE_TIMEOUT: Milliseconds = 1_000

/** One of the N places for workers. It outlives its worker, so that it can count deaths in a row. */
interface Place {
  worker: Worker | undefined
  /** A time of `performance.now()`. `undefined` if the worker doesn't listen. */
  listeningSince: number | undefined
  deathsInARow: number
  /** The error message with which the worker failed to start. */
  startError: string | undefined
  restart: NodeJS.Timeout | undefined
  /** Closes the connection that was sent to the worker but not yet confirmed. */
  abandon: () => void
}

/** The polling interval, during a stop, for connections that no worker accepts any more. */
const ABANDON_EVERY: Milliseconds = 100

export class Workers {
  readonly #dependencies: WorkersDependencies
  readonly #places: readonly Place[]
  readonly #measuring = new Map<Worker, () => void>()
  #settings: GatewaySettings
  #phase: 'starting' | 'running' | 'stopping' = 'starting'
  #onChange: () => void = () => {}
  #isDrainEnded = false
  #failure: StartError | undefined
  #url = ''

  /** @param program the path of the file that a worker runs */
  constructor(program: string, settings: GatewaySettings, dependencies: WorkersDependencies) {
    cluster.setupPrimary({ exec: program, args: [] })
    // The primary sends each connection to the next free worker. So even the connections of a few clients are spread.
    cluster.schedulingPolicy = cluster.SCHED_RR
    this.#dependencies = dependencies
    this.#settings = settings
    this.#places = Array.from({ length: settings.workers }, () => ({
      worker: undefined,
      listeningSince: undefined,
      deathsInARow: 0,
      startError: undefined,
      restart: undefined,
      abandon: () => {},
    }))
    process.once('exit', () => this.#kill())
  }

  /**
   * Starts all workers, and returns their URL when all listen.
   *
   * @throws {StartError} if a worker ended before it listened. All others have been ended then.
   */
  async start(): Promise<string> {
    for (const place of this.#places) this.#fork(place)
    await this.#until(() => this.#failure !== undefined || this.listening === this.#places.length)
    if (this.#failure) {
      this.#phase = 'stopping'
      this.#kill()
      await this.#until(() => this.#isEmpty)
      throw this.#failure
    }
    this.#phase = 'running'
    return this.#url
  }

  /** The number of workers that listen now. */
  get listening(): number {
    return this.#places.filter(({ listeningSince }) => listeningSince !== undefined).length
  }

  /** Stops all workers. Open requests can finish. Resolves when all processes have ended. */
  async stop(onListenersClosed: () => void): Promise<void> {
    this.#phase = 'stopping'
    for (const { worker, restart } of this.#places) {
      clearTimeout(restart)
      if (worker) send(worker, { type: 'stop' })
    }
    await this.#until(() => this.listening === 0)
    onListenersClosed()
    // A connection that arrives while the last worker stops listening isn't accepted by any worker. Without this, its
    // client would wait until all workers have ended.
    const timer = setInterval(() => this.#places.forEach(({ abandon }) => abandon()), ABANDON_EVERY)
    await this.#until(() => this.#isEmpty)
    clearInterval(timer)
  }

  /** Ends the drain of all workers early. Returns false if there is no drain. */
  endDrain(): boolean {
    if (this.#phase !== 'stopping' || this.listening === 0 || this.#isDrainEnded) return false
    this.#isDrainEnded = true
    for (const { worker } of this.#places) if (worker) send(worker, { type: 'end-drain' })
    return true
  }

  /** Lets all workers read the certificate again. */
  reload(): void {
    for (const { worker } of this.#places) if (worker) send(worker, { type: 'reload' })
  }

  /** Requests the metrics of all workers. Resolves after `onMeasured` of all of them, or after {@link MEASURE_TIMEOUT}. */
  async measure(): Promise<void> {
    const measured = this.#places.flatMap(({ worker, listeningSince }) =>
      worker && listeningSince !== undefined ? [worker] : [],
    )
    const reports = measured.map((worker) => {
      send(worker, { type: 'measure' })
      return new Promise<void>((resolve) => {
        this.#measuring.set(worker, resolve)
        setTimeout(resolve, MEASURE_TIMEOUT).unref()
      })
    })
    await Promise.all(reports)
  }

  #fork(place: Place): void {
    const worker = cluster.fork()
    place.worker = worker
    place.startError = undefined
    // A message can't be sent to a dying worker. The event `exit` follows and is handled below.
    worker.on('error', () => {})
    if (worker.process.pid === undefined) return this.#onExit(place, worker, null, null)
    place.abandon = noteHandedOver(worker)
    worker.on('message', (report: Report) => this.#onReport(place, worker, report))
    worker.once('exit', (code: number | null, signal: string | null) => {
      place.abandon()
      this.#onExit(place, worker, code, signal)
    })
  }

  #onReport(place: Place, worker: Worker, report: Report): void {
    // Reports can still arrive after the worker has ended.
    if (place.worker !== worker) return
    if (report.type === 'ready') {
      const settings = this.#settings
      send(worker, this.#phase === 'stopping' ? { type: 'stop' } : { type: 'start', settings })
    } else if (report.type === 'listening') {
      place.listeningSince = performance.now()
      this.#url ||= report.url
      this.#dependencies.log.info({ event: 'worker_started', worker: worker.process.pid }, 'a worker listens')
    } else if (report.type === 'listener-closed') {
      place.listeningSince = undefined
    } else if (report.type === 'refused') {
      place.startError = report.reason
      // The worker doesn't end by itself, because its exit could be noticed before this report.
      send(worker, { type: 'stop' })
    } else {
      this.#dependencies.onMeasured(worker.id, report.metrics)
      this.#measuring.get(worker)?.()
    }
    this.#onChange()
  }

  #onExit(place: Place, worker: Worker, code: number | null, signal: string | null): void {
    const { listeningSince, startError } = place
    place.worker = undefined
    place.listeningSince = undefined
    this.#measuring.get(worker)?.()
    this.#measuring.delete(worker)
    this.#dependencies.onEnd(worker.id)
    if (this.#phase === 'starting') {
      this.#failure ??= new StartError(
        startError ?? `workers: a worker ended before it listened (${signal ?? `exit code ${code}`})`,
      )
    } else if (this.#phase === 'running') {
      const isSteady = listeningSince !== undefined && performance.now() - listeningSince >= STEADY_AFTER
      place.deathsInARow = isSteady ? 1 : place.deathsInARow + 1
      this.#replace(place, {
        worker: worker.process.pid,
        code,
        signal,
        ...(startError && { reason: startError }),
      })
    }
    this.#onChange()
  }

  #replace(place: Place, death: object): void {
    const delay = Math.min(MAX_DELAY, MIN_DELAY * 2 ** (place.deathsInARow - 1))
    this.#dependencies.log.error(
      { event: 'worker_died', ...death, restartInMilliseconds: delay },
      'a worker died and will be replaced; the others keep running',
    )
    const { listen } = this.#settings
    // The free port was shared by the workers. Without any of them, a new worker would get another port than the one logged.
    if (this.listening === 0 && listen.port === 0) {
      this.#settings = { ...this.#settings, listen: { ...listen, port: Number(new URL(this.#url).port) } }
    }
    place.restart = setTimeout(() => {
      this.#dependencies.onRestart()
      this.#fork(place)
    }, delay)
  }

  get #isEmpty(): boolean {
    return this.#places.every(({ worker }) => worker === undefined)
  }

  #kill(): void {
    for (const { worker } of this.#places) worker?.process.kill('SIGKILL')
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#onChange = resolve))
  }
}

/** Sends an order. The callback prevents an `error` event if the worker is just ending. */
function send(worker: Worker, order: Order): void {
  worker.send(order, () => {})
}
