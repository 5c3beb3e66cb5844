const LOST = 'the connection to Redis was lost before it replied'
const CLUSTER = 'no node of the Redis Cluster is reachable'

/** Messages of ioredis that name its options or its insides, each with what has happened. */
const TEXTS: readonly (readonly [message: RegExp, text: string])[] = [
  [/enableOfflineQueue/, 'there is no connection to Redis'],
  [/^Reached the max retries per request/, LOST],
  [
    /^(?:Connection is closed|Command aborted due to connection close|Connection is aborted|Cluster is ended)/,
    LOST,
  ],
  [/^Command timed out/, 'Redis did not reply in time'],
  [/^(?:None of startup nodes is available|Failed to refresh slots cache)/, CLUSTER],
]

/** Returns the message of a failed Redis command for the log, without words that only make sense inside ioredis. */
export function redisErrorText(message: string): string {
  return TEXTS.find(([pattern]) => pattern.test(message))?.[1] ?? message
}
