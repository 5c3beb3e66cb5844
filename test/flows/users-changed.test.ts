import t from 'tap'
import { home, startGateway } from '../support/gateway-process.js'
import { usersChangedContract } from './users-changed.contract.js'

usersChangedContract(t, async (t) => {
  const directory = await home(t)
  const { url } = await startGateway(t, {}, directory)
  return { here: url, there: url, directory }
})
