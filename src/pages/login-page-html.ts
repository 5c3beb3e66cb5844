/** The login page. It works without JavaScript: its form posts to the page itself. */
import { formatWait } from './durations.js'
import { pageUrl, renderFrame, renderNotice } from './frame.js'
import type { Notice, PageContext } from './frame.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { translator } from './page-texts.js'
import type { TextKey, Translate } from './page-texts.js'

/** A reason for which somebody arrives at the login page, as the query `reason` names it. */
export const LOGIN_REASONS = ['ended', 'elsewhere', 'reused', 'logout'] as const
export type LoginReason = (typeof LOGIN_REASONS)[number]

/** An error of a login. The page shows it, and never shows its detail. */
export interface LoginFailure {
  /** An error code of Portcullis, or the name of the field that is missing. */
  readonly code: string
  /** Seconds until another attempt is allowed. `undefined` if the error names none. */
  readonly wait: number | undefined
  readonly requestId: string
}

export interface LoginPage {
  /** The path to which the browser returns after the login. It is a regular path on this origin. */
  readonly next: string | undefined
  readonly reason?: LoginReason | undefined
  readonly failure?: LoginFailure | undefined
  /** The name that was typed before. */
  readonly username?: string | undefined
  readonly remember?: boolean
  /** The URL to which the page can post to get new tokens, if the session may be alive although its token is not. */
  readonly continueAt?: string | undefined
}

/** Returns the login page. */
export function renderLoginPage(context: PageContext, page: LoginPage): string {
  const t = translator(context.language)
  const notice = findNotice(context, page, t)
  return renderFrame(context, {
    kind: 'login',
    heading: t('login.title'),
    script: { texts: Object.fromEntries(SCRIPT_TEXTS.map((key) => [key, t(key)])) },
    query: { next: page.next, reason: page.reason },
    main: html`<div class="stack">
        <h1>${t('login.title')}</h1>
        ${notice && renderNotice(notice)}${page.continueAt !== undefined && renderContinue(page.continueAt, page.next, t)}
      </div>
      ${renderForm(context, page, t)}`,
  })
}

/** Returns the one notice of the page. */
function findNotice(context: PageContext, page: LoginPage, t: Translate): Notice | undefined {
  const { failure, reason, next, continueAt } = page
  if (failure !== undefined) return describeFailure(failure, context, t)
  if (continueAt !== undefined) return undefined
  if (reason === undefined)
    return next === undefined ? undefined : { kind: 'plain', strong: t('login.after.required') }
  const kind = ({ logout: 'good', reused: 'warn' } as const)[reason as 'logout'] ?? 'plain'
  return { kind, strong: t(`login.after.${reason}`), more: t(`login.after.${reason}.more`) }
}

/** Errors with their texts. All others are errors of the server. */
const FAILURES: Readonly<Record<string, readonly [kind: Notice['kind'], text: TextKey]>> = {
  username: ['stop', 'login.user.missing'],
  password: ['stop', 'login.password.missing'],
  invalid_credentials: ['stop', 'login.wrong'],
  invalid_request: ['stop', 'login.wrong'],
  cross_site_request: ['stop', 'login.foreign'],
  rate_limited: ['warn', 'login.limited'],
  overloaded: ['warn', 'login.overloaded'],
  signed_in_elsewhere: ['warn', 'login.full'],
  upstream_unavailable: ['warn', 'login.upstream'],
  upstream_timeout: ['warn', 'login.upstream'],
}

const WITHOUT_MORE: ReadonlySet<TextKey> = new Set(['login.user.missing', 'login.password.missing'])

function describeFailure(
  { code, wait, requestId }: LoginFailure,
  context: PageContext,
  t: Translate,
): Notice {
  const [kind, text] = FAILURES[code] ?? ['warn', 'login.store']
  const isOurs = text === 'login.store' || text === 'login.upstream'
  return {
    kind,
    strong: t(text),
    more: WITHOUT_MORE.has(text)
      ? undefined
      : t(`${text}.more` as TextKey, { wait: formatWait(wait ?? 1, context.language) }),
    reference: isOurs ? t('both.reference', { id: requestId }) : undefined,
    wait: text === 'login.limited' ? wait : undefined,
  }
}

/** Texts that the script of the page shows. */
const SCRIPT_TEXTS: readonly TextKey[] = [
  'login.show',
  'login.show.name',
  'login.hide',
  'login.hide.name',
  'login.submit',
  'login.busy',
  'login.limited.more',
  'login.limited.over',
]

function renderForm(context: PageContext, page: LoginPage, t: Translate): Html {
  const { next, failure, username = '', remember = true } = page
  const isWrong = failure !== undefined && FAILURES[failure.code]?.[1] === 'login.wrong'
  const invalid = (field: string) =>
    (isWrong || failure?.code === field) && html` aria-invalid="true" aria-describedby="notice"`
  return html`<form class="login-form" method="post" action="${pageUrl(context, context.login)}" id="login">
    ${next !== undefined && html`<input type="hidden" name="next" value="${next}" />`}
    <div class="field">
      <label for="username">${t('login.user')}</label>
      <input
        class="input"
        id="username"
        name="username"
        value="${username}"
        autocomplete="username"
        autocapitalize="none"
        spellcheck="false"
        maxlength="256"
        required${invalid('username')}
      />
    </div>
    <div class="field">
      <div class="field-row">
        <label for="password">${t('login.password')}</label>
        <button
          class="button is-quiet"
          type="button"
          id="show"
          aria-controls="password"
          aria-label="${t('login.show.name')}"
          hidden
        >
          ${t('login.show')}
        </button>
      </div>
      <input
        class="input"
        id="password"
        name="password"
        type="password"
        autocomplete="current-password"
        maxlength="1024"
        required${invalid('password')}
      />
    </div>
    <label class="check"
      ><input type="checkbox" name="remember" value="true" ${remember && html` checked`} />
      <span>${t('login.remember')}</span></label
    >
    <div>
      <button class="button is-main is-wide" id="submit">${t('login.submit')}</button>
      <div class="busy-line" id="busy" hidden></div>
    </div>
  </form>`
}

/** Returns a form that exchanges the tokens of a session whose access token has expired. */
function renderContinue(url: string, next: string | undefined, t: Translate): Html {
  return html`<form class="notice is-good" method="post" action="${url}" id="continue">
    <strong>${t('login.continue')}</strong><span>${t('login.continue.more')}</span>
    ${next !== undefined && html`<input type="hidden" name="next" value="${next}" />`}
    <div class="row"><button class="button">${t('login.continue.submit')}</button></div>
  </form>`
}
