/** A real browser uses the login page of the example `decision-tree`. */
import t from 'tap'
import type { Test } from 'tap'
import { findChromium, openPage } from '../support/browser.js'
import type { Page } from '../support/browser.js'
import { authority } from '../support/certificates.js'
import { soon } from '../support/gateway-process.js'
import { startExample } from '../support/scheme-examples.js'

const chromium = findChromium()
if (chromium === undefined) {
  t.comment('CHROMIUM IS MISSING: NO BROWSER IS TRIED. Install one: apt-get install chromium')
  t.plan(0, 'there is no Chromium here')
} else {
  await logInWith(chromium)
}

async function logInWith(command: string): Promise<void> {
  t.test('the login leads back to the page that the browser wanted', async (t) => {
    const { url, page } = await start(t, command)
    await page.open(`${url}/reports?month=11`)
    t.equal(await page.evaluate('location.href'), `${url}/login?next=%2Freports%3Fmonth%3D11`)
    t.equal(await logIn(page), `${url}/reports?month=11`)
    t.equal(await page.evaluate('document.body.innerText'), 'the reports, for bob')
    t.equal((await page.open(`${url}/refunds`)).status, 403)
    t.equal((await page.open(`${url}/audit`)).status, 404)
  })

  t.test('a link to the login page with another origin leads to no other origin', async (t) => {
    const { url, page } = await start(t, command)
    for (const next of [
      '//evil.example/',
      '/\\evil.example/',
      '/\t/evil.example/',
      'https://evil.example/',
    ]) {
      await page.open(`${url}/login?next=${encodeURIComponent(next)}`)
      t.equal(await logIn(page), `${url}/reports`, JSON.stringify(next))
    }
  })
}

async function start(t: Test, command: string) {
  const { urls } = await startExample(t, 'decision-tree', { store: 'memory' })
  // The pages are plain http, so this certificate is never used.
  const page = await openPage(t, command, authority('a test').issue('127.0.0.1').cert)
  return { url: urls[0]!, page }
}

/** Fills in the form of the login page as bob, and returns the URL that the browser opens then. */
async function logIn(page: Page): Promise<unknown> {
  await page.evaluate(`
    document.querySelector('[name=username]').value = 'bob'
    document.querySelector('[name=password]').value = 'drawbridge-1066'
    document.querySelector('button').click()`)
  return soon('the login page is left', async () => {
    // The page may be between two documents.
    const isLoaded = `document.readyState === 'complete' && location.pathname !== '/login'`
    return (await page.evaluate(isLoaded)) === true && page.evaluate('location.href')
  })
}
