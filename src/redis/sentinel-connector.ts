import { SentinelConnector } from 'ioredis'
import type { Redis, RedisOptions, SentinelAddress, SentinelConnectionOptions } from 'ioredis'

type Connect = (endpoint: Partial<SentinelAddress>, options?: RedisOptions) => Redis

/** Ends its connections to Sentinels at once. ioredis gives each 2 s, which keep a process that has closed. */
export class PromptSentinelConnector extends SentinelConnector {
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions)
    // Private in its types, and there is no option for it.
    const connector = this as unknown as { connectToSentinel: Connect }
    const connect = connector.connectToSentinel.bind(this)
    connector.connectToSentinel = (endpoint, more) => connect(endpoint, { ...more, disconnectTimeout: 0 })
  }
}
