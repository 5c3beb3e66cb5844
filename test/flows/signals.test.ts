/** Signals that don't stop the gateway: the real process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { authority } from '../support/certificates.js'
import { call, home, serveGateway, soon } from '../support/gateway-process.js'

t.test(
  'SIGHUP reads the certificate again, SIGUSR2 has no effect, and neither stops the gateway',
  async (t) => {
    const directory = await home(t)
    const ca = authority('the test')
    const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    const install = async (subject: string) => {
      const { cert, key } = ca.issue(subject)
      await Promise.all([writeFile(tls.cert, cert), writeFile(tls.key, key)])
    }
    await install('first.test')
    const listen = { host: '127.0.0.1', port: 0, tls }
    const admin = { host: '127.0.0.1', port: 0 }
    const gateway = await serveGateway(t, { listen, admin }, directory)
    const logged = (event: string) => gateway.records().filter((record) => record['event'] === event).length
    const signal = (name: NodeJS.Signals) => process.kill(Number(gateway.records()[0]!['pid']), name)
    const subject = () =>
      new Promise((resolve, reject) => {
        const { port } = new URL(gateway.url)
        const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().subject['CN'])
          socket.destroy()
        })
        socket.once('error', reject)
      })
    t.equal(await subject(), 'first.test')

    await install('second.test')
    signal('SIGUSR2')
    signal('SIGHUP')
    await soon('it has reloaded', () => logged('reloaded') === 1)
    t.equal(await subject(), 'second.test')

    await writeFile(tls.key, 'not a key')
    signal('SIGHUP')
    await soon('it has refused the key', () => logged('reload_failed') === 1)
    t.equal(await subject(), 'second.test', 'the previous certificate remains')
    t.equal((await call(gateway.adminUrl!, 'GET', '/metrics')).status, 200)
    t.equal(logged('draining') + logged('listener_closed'), 0)
    t.equal(await gateway.stop('SIGTERM'), 0)
  },
)
