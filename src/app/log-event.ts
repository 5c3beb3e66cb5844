import type { Log } from '../logger.js'
import type { SecurityEvent } from '../session/security-events.js'

/** The log levels of events that aren't logged as `info`. */
const EVENT_LEVELS: Partial<Record<SecurityEvent['event'], 'debug' | 'warn'>> = {
  refresh: 'debug',
  refresh_retried: 'debug',
  token_renewed: 'debug',
  refresh_token_reused: 'warn',
  code_reused: 'warn',
  login_limited: 'warn',
}

/** Logs a security event at its level. */
export function logEvent(log: Log, event: SecurityEvent, requestId: string | undefined): void {
  log[EVENT_LEVELS[event.event] ?? 'info']({ ...event, request_id: requestId }, event.event)
}
