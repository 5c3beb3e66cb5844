/** Names devices in words that people recognise. */
import type { Translate } from './page-texts.js'

/** The parts of a session that describe its device. Each of them comes from the client. */
export interface DeviceFacts {
  /** The user's name for the device. */
  readonly device: string | null
  readonly userAgent: string | null
}

/** Browsers by a part of their `User-Agent`. Most contain the names of others, so the order matters. */
const BROWSERS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\bEdgA?(?:iOS)?\//, 'Edge'],
  [/\bOPR\/|\bOpera\b/, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bMicroMessenger\//, 'WeChat'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bChromium\//, 'Chromium'],
  [/\b(?:Headless)?Chrome\/|\bCriOS\//, 'Chrome'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
]

const SYSTEMS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b|\bMacintosh\b/, 'Mac'],
  [/\bLinux\b/, 'Linux'],
]

const find = (names: typeof BROWSERS, text: string) => names.find(([pattern]) => pattern.test(text))?.[1]

/** Returns the user's name for the device, else browser and system, such as `Firefox on Windows`. */
export function describeDevice({ device, userAgent }: DeviceFacts, t: Translate): string {
  if (device !== null && device.trim() !== '') return device.trim().slice(0, 64)
  const browser = find(BROWSERS, userAgent ?? '')
  const system = find(SYSTEMS, userAgent ?? '')
  if (browser !== undefined && system !== undefined) return t('account.device', { browser, system })
  return browser ?? system ?? t('account.device.unknown')
}
