/** Times and waits in words. */
import type { UnixSeconds } from '../clock.js'
import type { Language } from './page-texts.js'

/** Returns a wait in words, such as `2 min 40 s`. Waits of an hour and more have no seconds. */
export function formatWait(seconds: number, language: Language): string {
  const [hour, minute, second] = language === 'en' ? ['h', 'min', 's'] : ['小时', '分', '秒']
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const rest = seconds % 60
  const parts: [number, string][] =
    hours > 0
      ? [
          [hours, hour!],
          [minutes, minute!],
        ]
      : [
          [minutes, minute!],
          [rest, second!],
        ]
  const shown = parts.filter(([amount]) => amount > 0)
  return (shown.length === 0 ? [parts[1]!] : shown).map(([amount, unit]) => `${amount} ${unit}`).join(' ')
}

/** Returns how long ago a time was, such as `4 minutes ago`. Times of the last minute are `this minute`. */
export function formatAgo(at: UnixSeconds, now: UnixSeconds, language: Language): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const minutes = Math.max(0, Math.floor((now - at) / 60))
  if (minutes < 60) return format.format(-minutes, 'minute')
  if (minutes < 1440) return format.format(-Math.floor(minutes / 60), 'hour')
  return format.format(-Math.floor(minutes / 1440), 'day')
}

/** Returns date and time in UTC, because the server doesn't know the time zone of the reader. */
export function formatTime(at: UnixSeconds, language: Language): string {
  return new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    day: 'numeric',
    month: language === 'en' ? 'short' : 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(at * 1000)
}
