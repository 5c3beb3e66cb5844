/** Devices, waits and times in words. */
import t from 'tap'
import { describeDevice } from '../../src/pages/device.js'
import { formatAgo, formatTime, formatWait } from '../../src/pages/durations.js'
import { translator } from '../../src/pages/page-texts.js'

const [en, zh] = [translator('en'), translator('zh-CN')]

t.test('a device has its name, else browser and system', async (t) => {
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)'
  const android = 'Mozilla/5.0 (Linux; Android 14; Pixel 8)'
  const cases = {
    'Firefox on Windows': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0',
    'Edge on Windows':
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0',
    'Chrome on Android': `${android} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36`,
    'Safari on Mac': `${mac} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15`,
    'Safari on iPhone':
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
    curl: 'curl/8.9.1',
    'Unknown device': '<script>',
  }
  for (const [expected, userAgent] of Object.entries(cases))
    t.equal(describeDevice({ device: null, userAgent }, en), expected)
  t.equal(describeDevice({ device: null, userAgent: null }, zh), '未知设备')
  t.equal(describeDevice({ device: ' laptop ', userAgent: 'curl/8' }, en), 'laptop')
  t.equal(describeDevice({ device: 'x'.repeat(500), userAgent: null }, en).length, 64)
})

t.test('waits and times are in words of the language', async (t) => {
  t.strictSame(
    [0, 5, 60, 160, 3600, 7325].map((seconds) => formatWait(seconds, 'en')),
    ['0 s', '5 s', '1 min', '2 min 40 s', '1 h', '2 h 2 min'],
  )
  t.equal(formatWait(160, 'zh-CN'), '2 分 40 秒')
  const now = 1_772_460_151
  t.equal(formatAgo(now + 30, now, 'en'), 'this minute')
  t.equal(formatAgo(now - 240, now, 'en'), '4 minutes ago')
  t.equal(formatAgo(now - 3 * 3600, now, 'zh-CN'), '3小时前')
  t.equal(formatAgo(now - 6 * 86_400, now, 'en'), '6 days ago')
  t.match(formatTime(now, 'en'), /^2 Mar 2026, 14:02 UTC$/)
})
