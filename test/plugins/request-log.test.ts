import fastify, { LogController } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { childLoggerFactory } from '../../plugins/gateway/request-log.js'

t.test(
  'a request’s log lines have its id, level and children, and the logger is created lazily',
  async (t) => {
    const lines: Record<string, unknown>[] = []
    const loggerInstance = pino(
      { level: 'debug' },
      { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    )
    let children = 0
    const { child } = loggerInstance
    loggerInstance.child = function (this: typeof loggerInstance, ...args: Parameters<typeof child>) {
      children += 1
      return Reflect.apply(child, this, args)
    } as typeof child
    const logController = new LogController({ disableRequestLogging: true })
    const app = fastify({ loggerInstance, logController, childLoggerFactory, genReqId: () => 'r-1' })
    t.teardown(() => app.close())
    app.get('/quiet', () => 'ok')
    app.get('/loud', ({ log }, reply) => {
      log.warn({ event: 'a' }, 'with %s', 'words')
      reply.log.info('and again')
      log.trace('below the level')
      log.child({ more: 1 }).error('of a child')
      return log.level
    })
    await app.ready()

    const before = children
    await app.inject('/quiet')
    t.equal(children, before)
    t.equal((await app.inject('/loud')).body, 'debug')
    t.equal(children, before + 2, 'one, and its own child')

    t.strictSame(
      lines.map(({ level, reqId, event, more, msg }) => ({ level, reqId, event, more, msg })),
      [
        { level: 40, reqId: 'r-1', event: 'a', more: undefined, msg: 'with words' },
        { level: 30, reqId: 'r-1', event: undefined, more: undefined, msg: 'and again' },
        { level: 50, reqId: 'r-1', event: undefined, more: 1, msg: 'of a child' },
      ],
    )
  },
)
