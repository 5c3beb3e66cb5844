import { SentinelConnector } from 'ioredis'
import type { Redis, RedisOptions, SentinelAddress, SentinelConnectionOptions } from 'ioredis'

type Connect = (endpoint: Partial<SentinelAddress>, options?: RedisOptions) => Redis

/**
 * A connector that closes its connections to Sentinels immediately. ioredis waits up to 2 s for each of them, which
 * keeps a process alive after it has closed everything.
 */
export class PromptSentinelConnector extends SentinelConnector {
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions)
    // ioredis has no option for this, and its types declare the method private.
    const connector = this as unknown as { connectToSentinel: Connect }
    const connect = connector.connectToSentinel.bind(this)
    connector.connectToSentinel = (endpoint, more) => connect(endpoint, { ...more, disconnectTimeout: 0 })
  }
}
