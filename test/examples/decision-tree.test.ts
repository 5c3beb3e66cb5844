import t from 'tap'
import { decisionTreeContract } from './decision-tree.contract.js'

decisionTreeContract(t, async () => 'memory')
