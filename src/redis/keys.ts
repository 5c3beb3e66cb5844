/**
 * The names of all Redis keys that Portcullis writes. Every key expires.
 *
 * | key | type | expires after |
 * |---|---|---|
 * | `<prefix>:session:<sid>` | hash | the session's end + 3 s. Tombstone: horizon + leeway + 3 s |
 * | `<prefix>:subject:<sub>` | sorted set of `sid`, scored by the latest possible end | the latest of these ends + 65 s |
 * | `<prefix>:code:<hash>` | hash: a one-time code, used or not | its life (`codes.life`) + 3 s |
 * | `{<prefix>}:deny:jti:<jti>` | string `0 <until> <reason>` | the token's remaining lifetime + leeway + 6 s |
 * | `{<prefix>}:deny:<sid\|kid>:<id>` | string `0 <until> <reason>`; `1 …` if the session was evicted | horizon + leeway + 6 s |
 * | `{<prefix>}:deny:<sub\|lost>:<sub>`, `…:all:*` | string `<before> <until> <reason>` | horizon + leeway + 6 s |
 * | `{<prefix>}:state` | hash | the last sync + horizon + leeway + 66 s |
 * | `{<prefix>}:log` | stream | the same time as the state. Entries are trimmed after horizon + leeway + 6 s |
 * | `{<prefix>}:cutoff` | string: sessions that began at this time (ms) or earlier can't be refreshed | ten years |
 * | `<prefix>:revoked:<jti>` | string: an access token of the single scheme that was revoked | `tokens.absolute`, or ten years |
 * | `{<prefix>}:settings` | hash: the settings of each instance, to compare them | 100 s after an instance wrote them last |
 * | `<prefix>:limit:<limiter>:<hash or address>` | counter | the window of its limiter (`rateLimit.….per`, or a week) |
 *
 * The braces are a hash tag of Redis Cluster. They put all keys that one command or script uses together into the same
 * slot. Sessions and codes have no hash tag, so they are spread over all slots.
 */
export type Keys = ReturnType<typeof redisKeys>

/** Fields of a session. Its record has the first one until the session ends, its tombstone the second one: the reason. */
export const STATE_FIELDS = ['current', 'ended'] as const

export function redisKeys(prefix: string) {
  return {
    session: (sid: string) => `${prefix}:session:${sid}`,
    subject: (sub: string) => `${prefix}:subject:${sub}`,
    code: (hash: string) => `${prefix}:code:${hash}`,
    deny: (kind: string, id: string) => `{${prefix}}:deny:${kind}:${id}`,
    logState: `{${prefix}}:state`,
    log: `{${prefix}}:log`,
    cutoff: `{${prefix}}:cutoff`,
    revokedToken: (jti: string) => `${prefix}:revoked:${jti}`,
    settings: `{${prefix}}:settings`,
    limit: (limiter: string) => `${prefix}:limit:${limiter}:`,
  }
}
