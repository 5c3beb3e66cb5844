/**
 * Every Redis key that Portcullis writes, with its rule of life. Nothing lives for ever.
 *
 * | key | type | lives |
 * |---|---|---|
 * | `<prefix>:session:<sid>` | hash | to the session's end + 3 s; ended: horizon + leeway + 3 s |
 * | `<prefix>:subject:<sub>` | sorted set of `sid` by its latest possible end | to the last of those + 65 s |
 * | `{<prefix>}:deny:jti:<jti>` | string `0 <until> <reason>` | the token's remaining life + leeway + 6 s |
 * | `{<prefix>}:deny:<sid\|kid>:<id>` | string `0 <until> <reason>` | horizon + leeway + 6 s |
 * | `{<prefix>}:deny:<sub\|lost>:<sub>`, `…:all:*` | string `<before> <until> <reason>` | horizon + leeway + 6 s |
 * | `{<prefix>}:state` | hash | horizon + leeway + 6 s + a minute since the last sync |
 * | `{<prefix>}:log` | stream | as its state; entries are trimmed after horizon + leeway + 6 s |
 * | `<prefix>:limit:<limiter>:<hash or address>` | counter | its window (`rateLimit.….per`) |
 *
 * The braces are a hash tag: keys that one command or script touches together share a slot of a Redis Cluster.
 * Sessions are spread over all slots.
 */
export type Keys = ReturnType<typeof redisKeys>

export function redisKeys(prefix: string) {
  return {
    session: (sid: string) => `${prefix}:session:${sid}`,
    subject: (sub: string) => `${prefix}:subject:${sub}`,
    deny: (kind: string, id: string) => `{${prefix}}:deny:${kind}:${id}`,
    logState: `{${prefix}}:state`,
    log: `{${prefix}}:log`,
    limit: (limiter: string) => `${prefix}:limit:${limiter}:`,
  }
}
