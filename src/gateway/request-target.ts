/**
 * Rules for request targets (RFC 9112 §3.2) that may be forwarded. The gateway and the upstream must read the same path
 * from the same bytes. A target that some upstream could decode, split or normalize in another way is refused.
 */
import { LAX_REASONS, readLaxly } from './lax-target.js'
import type { Laxity, LaxTarget } from './lax-target.js'
import { decodeUnreserved, findRawFault, findStructureFault } from './target-faults.js'
import type { TargetRefusal } from './target-faults.js'

/** The result of `checkTarget`. */
export type CheckedTarget =
  | {
      readonly ok: true
      /** The request target as received. It is forwarded byte for byte. */
      readonly raw: string
      /** The path as received. */
      readonly path: string
      /** The query as received, without the first `?`. `undefined` if the target has no `?`. */
      readonly query: string | undefined
      /**
       * The path in the form for route lookup. Escapes of unreserved characters are decoded (`%61` to `a`), and other
       * escapes are in upper case.
       */
      readonly match: string
    }
  | {
      readonly ok: false
      readonly reason: TargetRefusal
      /** Set if a route can accept the target with `targetAllow`. */
      readonly lax?: LaxTarget
    }

/** Limits for request targets. */
export interface TargetLimits {
  /** Maximum length of the request target, in bytes. */
  target: number
  /** The rules that some route switches off with `targetAllow`. Default: none. */
  allowed?: ReadonlySet<Laxity>
}

/** A fast path: segments of plain characters, none starting with a dot, and a query of visible ASCII without `#`. */
const PLAIN_TARGET = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)*\/?(?:\?[!"$-~]*)?$/
const SLASH = 0x2f

/**
 * Checks a raw request target, such as `IncomingMessage.url`. Takes linear time and never throws. If the result is
 * `ok`, the target can be forwarded byte for byte, and every common way to decode it leads to the same route as
 * `match`.
 *
 * @example
 * checkTarget('/a/%61?b', { target: 8192 }) // { ok: true, path: '/a/%61', query: 'b', match: '/a/a', … }
 * checkTarget('/a/../b', { target: 8192 }) // { ok: false, reason: 'dot_segment' }
 */
export function checkTarget(rawUrl: string | undefined, limits: TargetLimits): CheckedTarget {
  if (rawUrl === undefined || rawUrl === '') return reject('empty')
  if (rawUrl.length > limits.target) return reject('too_long')
  if (rawUrl.charCodeAt(0) !== SLASH) return reject(classifyForm(rawUrl))

  const queryStart = rawUrl.indexOf('?')
  const path = queryStart === -1 ? rawUrl : rawUrl.slice(0, queryStart)
  const query = queryStart === -1 ? undefined : rawUrl.slice(queryStart + 1)
  if (PLAIN_TARGET.test(rawUrl)) return { ok: true, raw: rawUrl, path, query, match: path }

  const reason = findRawFault(rawUrl) ?? findStructureFault(path)
  if (reason !== undefined)
    return LAX_REASONS.has(reason) ? refuseUnlessLax(reason, rawUrl, path, limits) : reject(reason)
  const decoded = decodeUnreserved(path)
  if (decoded.ok) return { ok: true, raw: rawUrl, path, query, match: decoded.match }
  return LAX_REASONS.has(decoded.reason) ? refuseUnlessLax(decoded.reason, rawUrl, path, limits) : decoded
}

function refuseUnlessLax(
  reason: TargetRefusal,
  raw: string,
  path: string,
  { allowed }: TargetLimits,
): CheckedTarget {
  const isReadable = allowed !== undefined && allowed.size > 0 && findRawFault(raw) === undefined
  const lax = isReadable ? readLaxly(raw, path, allowed) : undefined
  return lax === undefined ? reject(reason) : { ok: false, reason, lax }
}

function reject(reason: TargetRefusal): { ok: false; reason: TargetRefusal } {
  return { ok: false, reason }
}

function classifyForm(target: string): TargetRefusal {
  if (target === '*') return 'asterisk_form'
  return (
    findRawFault(target) ?? (/^[a-z][a-z0-9+.-]*:\/\//i.test(target) ? 'absolute_form' : 'authority_form')
  )
}

/** Returns the bytes to forward for a target that a route has accepted. */
export function rawTarget(target: CheckedTarget): string {
  return target.ok ? target.raw : target.lax!.raw
}
