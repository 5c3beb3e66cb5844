/**
 * The workers of `serve --workers N`, as their primary has them: processes of node:cluster, each a whole gateway, all
 * on one port. One that dies is replaced, however often.
 */
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import type { Milliseconds } from '../clock.js'
import type { GatewaySettings } from '../config.js'
import { StartError } from '../start-error.js'
import { noteHandedOver } from './handed-over.js'
import type { MetricValues, Order, Report } from './messages.js'

export interface WorkersDependencies {
  readonly log: {
    info(record: object, message: string): void
    error(record: object, message: string): void
  }
  /** One was started in the place of one that had died. */
  readonly onRestart: () => void
  /** What a worker has told of itself. */
  readonly onMeasured: (id: number, metrics: MetricValues) => void
  /** It is gone, and won't tell anything any more. */
  readonly onEnd: (id: number) => void
}

/** Between a worker's death and its successor's start; twice as long after each death in a row. */
const MIN_DELAY: Milliseconds = 100
const MAX_DELAY: Milliseconds = 5_000
/** Who has listened for as long is not thought to die again at once. */
const STEADY_AFTER: Milliseconds = 10_000
/** A worker that takes longer to tell its metrics isn't waited for. */
const MEASURE_PATIENCE: Milliseconds = 1_000

/** A worker's place: its successors take it, and inherit how badly it went. */
interface Place {
  worker: Worker | undefined
  /** On `performance.now()`. */
  listeningSince: number | undefined
  deathsInARow: number
  /** Why the worker gave up, in its own words. */
  refusal: string | undefined
  restart: NodeJS.Timeout | undefined
  /** Closes the connection that the worker was given and hasn't taken. */
  abandon: () => void
}

/** While stopping, between two looks for connections that no worker takes any more. */
const ABANDON_EVERY: Milliseconds = 100

export class Workers {
  readonly #ports: WorkersDependencies
  readonly #places: readonly Place[]
  readonly #measuring = new Map<Worker, () => void>()
  #settings: GatewaySettings
  #phase: 'starting' | 'running' | 'stopping' = 'starting'
  #onChange: () => void = () => {}
  #isDrainEnded = false
  #failure: StartError | undefined
  #url = ''

  /** `program` is the file that a worker runs. */
  constructor(program: string, settings: GatewaySettings, ports: WorkersDependencies) {
    cluster.setupPrimary({ exec: program, args: [] })
    // Each connection is given to the next worker that is free: those of a few clients spread, too.
    cluster.schedulingPolicy = cluster.SCHED_RR
    this.#ports = ports
    this.#settings = settings
    this.#places = Array.from({ length: settings.workers }, () => ({
      worker: undefined,
      listeningSince: undefined,
      deathsInARow: 0,
      refusal: undefined,
      restart: undefined,
      abandon: () => {},
    }))
    process.once('exit', () => this.#kill())
  }

  /**
   * Starts all, and gives the URL when all listen.
   *
   * @throws {StartError} if one ended instead: then none is left
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

  /** How many listen now. */
  get listening(): number {
    return this.#places.filter(({ listeningSince }) => listeningSince !== undefined).length
  }

  /** Lets each end as it would end by itself; resolves when all are gone. */
  async stop(onListenersClosed: () => void): Promise<void> {
    this.#phase = 'stopping'
    for (const { worker, restart } of this.#places) {
      clearTimeout(restart)
      if (worker) tell(worker, { type: 'stop' })
    }
    await this.#until(() => this.listening === 0)
    onListenersClosed()
    // A connection that comes while the last worker stops listening is taken by nobody, and its client would wait for all of
    // them.
    const timer = setInterval(() => this.#places.forEach(({ abandon }) => abandon()), ABANDON_EVERY)
    await this.#until(() => this.#isEmpty)
    clearInterval(timer)
  }

  /** Ends the drain of each early. Returns false if none is under way. */
  endDrain(): boolean {
    if (this.#phase !== 'stopping' || this.listening === 0 || this.#isDrainEnded) return false
    this.#isDrainEnded = true
    for (const { worker } of this.#places) if (worker) tell(worker, { type: 'end-drain' })
    return true
  }

  /** Asks each for its metrics; resolves when `onMeasured` was told of all, or has waited long enough for them. */
  async measure(): Promise<void> {
    const asked = this.#places.flatMap(({ worker, listeningSince }) =>
      worker && listeningSince !== undefined ? [worker] : [],
    )
    const answered = asked.map((worker) => {
      tell(worker, { type: 'measure' })
      return new Promise<void>((resolve) => {
        this.#measuring.set(worker, resolve)
        setTimeout(resolve, MEASURE_PATIENCE).unref()
      })
    })
    await Promise.all(answered)
  }

  #fork(place: Place): void {
    const worker = cluster.fork()
    place.worker = worker
    place.refusal = undefined
    // A message that can't be sent: the worker is dying, and its exit tells it.
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
    // What it has still said may be read after its end.
    if (place.worker !== worker) return
    if (report.type === 'ready') {
      const settings = this.#settings
      tell(worker, this.#phase === 'stopping' ? { type: 'stop' } : { type: 'start', settings })
    } else if (report.type === 'listening') {
      place.listeningSince = performance.now()
      this.#url ||= report.url
      this.#ports.log.info({ event: 'worker_started', worker: worker.process.pid }, 'a worker listens')
    } else if (report.type === 'listener-closed') {
      place.listeningSince = undefined
    } else if (report.type === 'refused') {
      place.refusal = report.reason
      // Not by itself: its end might be noticed before what it has said.
      tell(worker, { type: 'stop' })
    } else {
      this.#ports.onMeasured(worker.id, report.metrics)
      this.#measuring.get(worker)?.()
    }
    this.#onChange()
  }

  #onExit(place: Place, worker: Worker, code: number | null, signal: string | null): void {
    const { listeningSince, refusal } = place
    place.worker = undefined
    place.listeningSince = undefined
    this.#measuring.get(worker)?.()
    this.#measuring.delete(worker)
    this.#ports.onEnd(worker.id)
    if (this.#phase === 'starting') {
      this.#failure ??= new StartError(
        refusal ?? `workers: one ended before it listened (${signal ?? `exit code ${code}`})`,
      )
    } else if (this.#phase === 'running') {
      const isSteady = listeningSince !== undefined && performance.now() - listeningSince >= STEADY_AFTER
      place.deathsInARow = isSteady ? 1 : place.deathsInARow + 1
      this.#replace(place, { worker: worker.process.pid, code, signal, ...(refusal && { reason: refusal }) })
    }
    this.#onChange()
  }

  #replace(place: Place, death: object): void {
    const delay = Math.min(MAX_DELAY, MIN_DELAY * 2 ** (place.deathsInARow - 1))
    this.#ports.log.error(
      { event: 'worker_died', ...death, restartInMilliseconds: delay },
      'a worker died; the others go on, and a new one is started',
    )
    const { listen } = this.#settings
    // The free port was theirs together; another one would not be the one that was told.
    if (this.listening === 0 && listen.port === 0) {
      this.#settings = { ...this.#settings, listen: { ...listen, port: Number(new URL(this.#url).port) } }
    }
    place.restart = setTimeout(() => {
      this.#ports.onRestart()
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

/** Without a callback, a worker that is just dying would be an error. */
function tell(worker: Worker, order: Order): void {
  worker.send(order, () => {})
}
