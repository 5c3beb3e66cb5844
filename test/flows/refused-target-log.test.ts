import net from 'node:net'
import t from 'tap'
import { serveGateway, soon } from '../support/gateway-process.js'

t.test(
  'the log names the rule that refused a request target, without the query and credentials',
  async (t) => {
    const gateway = await serveGateway(t, { log: { level: 'debug', requests: true } })
    const port = Number(new URL(gateway.url).port)
    const send = (target: string) =>
      new Promise<string>((resolve, reject) => {
        let text = ''
        const socket = net.connect(port, '127.0.0.1', () =>
          socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`),
        )
        socket.on('data', (chunk) => (text += chunk.toString()))
        socket.on('close', () => resolve(text)).on('error', reject)
      })
    t.match(await send('/a%2F..%2Fb?token=hunter2'), /^HTTP\/1\.1 400 /)
    t.match(await send('http://ada:hunter2@x/'), /^HTTP\/1\.1 400 /)
    const refused = () => gateway.records().filter(({ event }) => event === 'target_refused')
    await soon('both are logged', () => refused().length === 2)
    t.match(refused()[0], { level: 20, rule: /^\w+$/, target: '/a%2F..%2Fb', request_id: /^[0-9a-f]{8}-/ })
    t.match(refused()[1], { rule: /^\w+$/, target: 'http://…@x/' })
    t.notMatch(gateway.output(), /hunter2/)
  },
)
