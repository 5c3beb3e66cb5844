/** `waitReplicas`: a sync counts only if as many replicas have everything. */
import t from 'tap'
import type { Test } from 'tap'
import { connect, startRedis } from '../support/redis.js'
import { openLog } from '../support/revocation-log.js'

const primary = await startRedis(t)
const replica = await startRedis(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
const admin = connect(t, primary.url)

async function untilAttached(): Promise<void> {
  while (!(await admin.info('replication')).includes('state=online')) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const settings = { lease: 400 }
const open = (t: Test, waitReplicas: number) =>
  openLog(t, { url: primary.url, settings: { ...settings, waitReplicas } })

t.test('with one replica attached, WAIT 1 grants a lease and WAIT 2 doesn’t', async (t) => {
  await untilAttached()
  const one = open(t, 1)
  await one.deny('s')
  const reply = await one.sync()
  t.match(reply, { waitOk: true, entries: [{ id: 's' }] })
  t.equal(await connect(t, replica.url).xlen(one.keys.log), 2, 'it has it')
  const begunAt = performance.now()
  t.match(await open(t, 2).sync(), { waitOk: false, settled: false })
  const took = performance.now() - begunAt
  t.ok(took > 90 && took < 350, `it waited a quarter of a lease: ${Math.round(took)} ms`)
  t.equal((await open(t, 0).sync()).waitOk, true)
})

t.test('a replica that lags doesn’t count until it has caught up', async (t) => {
  await untilAttached()
  const rig = open(t, 1)
  const { epoch } = await rig.sync()
  await replica.freeze()
  const { position } = await rig.deny('s')
  t.match(await rig.sync(), { epoch, waitOk: false, entries: [{ id: 's' }], last: position })
  await replica.thaw()
  await untilAttached()
  t.match(await rig.sync(), { epoch, waitOk: true })
})

t.test('without the replica there is no lease, with it there is one again', async (t) => {
  const rig = open(t, 1)
  const { epoch } = await rig.sync()
  await replica.kill()
  t.match(await rig.sync(), { epoch, waitOk: false })
  await replica.start()
  await untilAttached()
  t.match(await rig.sync(), { epoch, waitOk: true })
})

t.test('an error of the sync is reported, whatever WAIT returns', async (t) => {
  await untilAttached()
  const rig = open(t, 1)
  await t.rejects(rig.sync({}, Date.now() + 60_000), { code: 'store_unavailable', reason: /^CLOCK/ })
})

t.test('the first sync of a connection sends the whole script, also in a pipeline', async (t) => {
  await untilAttached()
  await admin.script('FLUSH')
  t.match(await open(t, 1).sync(), { waitOk: true })
})
