/** The account page: the sessions of a user. It works without JavaScript: each button is a form. */
import type { UnixSeconds } from '../clock.js'
import type { SessionView } from '../contract.js'
import { describeDevice } from './device.js'
import { formatAgo, formatTime, formatWait } from './durations.js'
import { pageUrl, renderFrame, renderNotice } from './frame.js'
import type { PageContext } from './frame.js'
import { GATELETS, gatelet } from './gatelets.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { translator } from './page-texts.js'
import type { TextKey, Translate } from './page-texts.js'

/** The texts of the page, its URLs and the time at which it is rendered. */
interface Scope {
  readonly context: PageContext
  readonly t: Translate
  readonly now: UnixSeconds
}

/** What went wrong when a session was to be ended. */
export interface EndFailure {
  /** The session that may still be alive. `undefined` if all others were to be ended. */
  readonly sid: string | undefined
  /** Seconds until another attempt is allowed, if there were too many. */
  readonly wait: number | undefined
}

export interface AccountPage {
  /** The path prefix of the API, such as `/auth`. */
  readonly api: string
  /** The route that exchanges the tokens: `refresh` or `renew`. */
  readonly exchange: 'refresh' | 'renew'
  readonly sub: string
  readonly sessions: readonly SessionView[]
  readonly now: UnixSeconds
  /** The number of other sessions that were just ended. Shown only if none is left. */
  readonly ended?: number | undefined
  readonly failure?: EndFailure | undefined
}

/** Returns the account page. */
export function renderAccountPage(context: PageContext, page: AccountPage): string {
  const { sub, sessions, now, ended } = page
  const scope: Scope = { context, t: translator(context.language), now }
  const { t } = scope
  const others = sessions.filter(({ current }) => !current).toSorted((a, b) => b.lastSeenAt - a.lastSeenAt)
  return renderFrame(context, {
    kind: 'account',
    heading: t('account.title'),
    before: GATELETS,
    script: scriptData(scope, page),
    top: html`<form class="push" method="post" action="${endUrl(context, 'logout')}" data-while-live>
      <button class="button">${t('account.logout')}</button>
    </form>`,
    main: html`<div id="while-live">
        <h1>${t('account.title')}</h1>
        <p class="muted">${t('account.lead')}</p>
        <div class="section-head">
          <h2 id="here">${t('account.here')}</h2>
          <span class="small muted">${t('account.user', { id: sub })}</span>
        </div>
        <ul class="sessions" aria-labelledby="here">
          ${sessions.filter(({ current }) => current).map((session) => renderSession(scope, session))}
        </ul>
        <div class="section-head">
          <h2 id="others" tabindex="-1">${t('account.others')}</h2>
          <span class="live" id="live" role="status" hidden>${t('account.live')}</span>
        </div>
        ${others.length > 0 ? renderOthers(scope, others, page.failure) : html`<p class="empty" id="none">${t('account.none')}</p>`}
        ${
          others.length === 0 &&
          ended !== undefined &&
          renderNotice({ kind: 'good', strong: t(plural('account.all.done', ended), { n: ended }) })
        }
        <p class="notice is-good" id="all-done" role="status" hidden></p>
      </div>
      ${renderFallen(scope, page)}`,
  })
}

type PluralKey = `account.all.${'ask' | 'more' | 'yes' | 'done'}`

function plural(key: PluralKey, n: number): TextKey {
  return n === 1 ? `${key}.one` : key
}

/** Texts that the script of the page shows. */
const SCRIPT_TEXTS: readonly TextKey[] = [
  'account.ending',
  'account.ended',
  'account.ended.elsewhere',
  'account.unsure',
  'account.retry',
  'account.retry.name',
  'account.all.done',
  'account.all.done.one',
  'account.limited',
  'account.live',
  'account.live.lost',
  'over.title',
  'over.by.other',
  'over.by.operator',
  'over.by.logout',
  'over.by.reuse',
  'over.by.expiry',
  'over.by.unknown',
  'login.after.elsewhere',
]

function scriptData({ context, t }: Scope, { api, exchange, sessions }: AccountPage) {
  return {
    sid: sessions.find(({ current }) => current)?.sid,
    api,
    exchange,
    language: context.language,
    texts: Object.fromEntries(SCRIPT_TEXTS.map((key) => [key, t(key)])),
  }
}

/** Returns the message that replaces the page when its own session has ended. Only the script shows it. */
function renderFallen({ context, t }: Scope, { sessions }: AccountPage): Html {
  const own = sessions.find(({ current }) => current)
  const device = own === undefined ? t('account.device.unknown') : describeDevice(own, t)
  return html`<section class="fallen" id="fallen" role="alert" hidden>
    ${gatelet('down')}
    <div class="stack is-tight">
      <h1 id="fallen-title" tabindex="-1">${t('over.title')}</h1>
      <p id="fallen-reason"></p>
    </div>
    <dl>
      <dt>${t('over.when')}</dt>
      <dd><time id="fallen-time"></time></dd>
      <dt>${t('over.what')}</dt>
      <dd><bdi>${device}</bdi></dd>
    </dl>
    <a class="button is-main is-wide" href="${pageUrl(context, context.login, { next: context.account })}"
      >${t('over.login')}</a
    >
  </section>`
}

function renderOthers(scope: Scope, others: readonly SessionView[], failure: EndFailure | undefined): Html {
  const { context, t } = scope
  const n = others.length
  // If all others were to be ended, each of them may still be alive.
  const failed = (sid: string) => (failure?.sid === undefined || failure.sid === sid ? failure : undefined)
  return html`<ul class="sessions" aria-labelledby="others" id="list">
      ${others.map((session) => renderSession(scope, session, failed(session.sid)))}
    </ul>
    <details class="confirm" id="all">
      <summary class="button">${t('account.all')}</summary>
      <form class="confirm-body" method="post" action="${endUrl(context, 'end-others')}">
        <p>
          <strong>${t(plural('account.all.ask', n), { n })}</strong>
          <span>${t(plural('account.all.more', n))}</span>
        </p>
        <div class="row">
          <button class="button is-final">${t(plural('account.all.yes', n), { n })}</button>
        </div>
      </form>
    </details>`
}

function renderSession(scope: Scope, session: SessionView, failure?: EndFailure): Html {
  const { context, t, now } = scope
  const { language } = context
  const device = describeDevice(session, t)
  const place = session.ip ?? '?'
  const when = formatAgo(session.lastSeenAt, now, language)
  const seen = session.current ? t('account.seen.now', { place }) : t('account.seen', { when, place })
  return html`<li class="session" data-sid="${session.sid}">
    ${gatelet('up')}
    <div>
      <h3><bdi>${device}</bdi></h3>
      <p class="meta">
        <span>${seen}</span><br />
        <span>${renderSince(session.createdAt, scope)}</span>
      </p>
    </div>
    ${!session.current && renderEnd(scope, { session, device, when, failure })}
  </li>`
}

/** Returns the time of the login as an element, so that the script of the page can show it in local time. */
function renderSince(at: UnixSeconds, { t, context }: Scope): Html {
  const [before = '', after = ''] = t('account.since').split('{since}')
  const time = html`<time datetime="${new Date(at * 1000).toISOString()}"
    >${formatTime(at, context.language)}</time
  >`
  return html`${before}${time}${after}`
}

interface EndParts {
  readonly session: SessionView
  readonly device: string
  readonly when: string
  readonly failure: EndFailure | undefined
}

function renderEnd({ context, t }: Scope, { session, device, when, failure }: EndParts): Html {
  const [word, name] =
    failure === undefined
      ? [t('account.end'), t('account.end.name', { device, when })]
      : [t('account.retry'), t('account.retry.name', { device })]
  return html`<form method="post" action="${endUrl(context, 'end')}">
      <input type="hidden" name="sid" value="${session.sid}" />
      <button class="button" aria-label="${name}">${word}</button>
    </form>
    <p class="state${failure && ' is-bad'}" role="status">
      ${failure && describeFailure(failure, context, t)}
    </p>`
}

function describeFailure({ wait }: EndFailure, { language }: PageContext, t: Translate): string {
  if (wait === undefined) return t('account.unsure')
  return t('account.limited', { wait: formatWait(wait, language) })
}

function endUrl(context: PageContext, what: 'end' | 'end-others' | 'logout'): string {
  return pageUrl(context, `${context.account}/${what}`)
}

/** Returns the page for a time at which nobody can say which sessions there are. It never shows an empty list. */
export function renderUnavailablePage(context: PageContext, requestId: string): string {
  const t = translator(context.language)
  return renderFrame(context, {
    kind: 'account',
    heading: t('account.title'),
    script: {},
    main: html`<div class="stack">
      <h1>${t('account.title')}</h1>
      ${renderNotice({
        kind: 'warn',
        strong: t('account.store'),
        more: t('account.store.more'),
        reference: t('both.reference', { id: requestId }),
      })}
      <p><a class="button" href="${pageUrl(context, context.account)}">${t('account.reload')}</a></p>
    </div>`,
  })
}
