/** The frame of login page and account page. */
import { html } from './html.js'
import type { Html } from './html.js'
import { translator } from './page-texts.js'
import type { Language, Translate } from './page-texts.js'

/** The properties of all pages of a gateway, and of one request. */
export interface PageContext {
  /** The name of the site. */
  readonly title: string
  /** The URL below which the files of the pages are, such as `/auth/pages`. */
  readonly files: string
  readonly hasLogo: boolean
  readonly hasStylesheet: boolean
  /** The paths of the pages. */
  readonly login: string
  readonly account: string
  readonly language: Language
  /** True if the query names the language. Links and forms of the page then keep it. */
  readonly isNamed: boolean
}

export interface FrameParts {
  readonly kind: 'login' | 'account'
  readonly heading: string
  /** Elements at the end of the header. */
  readonly top?: Html | undefined
  readonly main: Html
  /** Elements before the header. */
  readonly before?: Html | undefined
  /** What the script of the page needs to know. */
  readonly script: Readonly<Record<string, unknown>>
  /** The query of the page without `lang`, for the link to the other language. */
  readonly query?: Readonly<Record<string, string | undefined>>
}

/** Returns the URL of a page in the language of the request. */
export function pageUrl(
  { language, isNamed }: Pick<PageContext, 'language' | 'isNamed'>,
  path: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const pairs = Object.entries(isNamed ? { ...query, lang: language } : query)
  const text = new URLSearchParams(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined))
  return text.size === 0 ? path : `${path}?${text.toString()}`
}

/** Returns a whole page. */
export function renderFrame(context: PageContext, parts: FrameParts): string {
  const { title, files, hasLogo, hasStylesheet, language } = context
  const { kind, heading, top, main, before, script, query } = parts
  const t = translator(language)
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>${heading} · ${title}</title>
        <link rel="icon" href="${files}/mark.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="${files}/pages.css" />
        ${hasStylesheet && html`<link rel="stylesheet" href="${files}/site.css" />`}
        <script src="${files}/${kind}.js" defer></script>
      </head>
      <body class="plain is-${kind}" data-page="${JSON.stringify(script)}">
        <a class="skip" href="#main">${t('both.skip')}</a>
        ${GATE}${before}
        <header class="plain-top">
          ${hasLogo ? html`<img class="logo" src="${files}/logo" alt="" />` : MARK}
          <span class="title">${title}</span>
          ${top}
        </header>
        <main class="plain-main" id="main" tabindex="-1">${main}</main>
        <footer class="plain-foot">${languageLink(context, context[kind], query, t)}</footer>
      </body>
    </html> `.toString()
}

/** Returns a link to the same page in the other language. */
function languageLink(
  { language }: PageContext,
  path: string,
  query: FrameParts['query'],
  t: Translate,
): Html {
  const other = language === 'en' ? 'zh-CN' : 'en'
  const url = pageUrl({ language: other, isNamed: true }, path, query)
  return html`<a href="${url}" lang="${other}" hreflang="${other}">${t('both.language')}</a>`
}

/** A notice. Its first sentence says what is so, the second one what to do. */
export interface Notice {
  readonly kind: 'plain' | 'good' | 'warn' | 'stop'
  readonly strong: string
  readonly more?: string | undefined
  /** The request id, for an error of the server. */
  readonly reference?: string | undefined
  /** Seconds until another attempt is allowed. */
  readonly wait?: number | undefined
}

export function renderNotice({ kind, strong, more, reference, wait }: Notice): Html {
  const isError = kind === 'warn' || kind === 'stop'
  const [kindClass, role] = [kind === 'plain' ? '' : ` is-${kind}`, isError ? 'alert' : 'status']
  return html`<div
    class="notice${kindClass}"
    role="${role}"
    id="notice"
    ${wait !== undefined && html` data-wait="${wait}"`}
  >
    <strong>${strong}</strong
    >${more !== undefined && html`<span>${more}</span>`}${reference !== undefined && html`<span class="id">${reference}</span>`}
  </div>`
}

/** The gate that hangs from the top edge. Stylesheets lower it behind the message when a session has ended. */
const GATE = html`<div class="gate" aria-hidden="true">
  <svg>
    <defs>
      <pattern
        id="bars"
        width="56"
        height="104"
        patternUnits="userSpaceOnUse"
        patternTransform="translate(0 -32)"
      >
        <path d="M24 0h8v104h-8zM0 86h56v5H0zM28 79.5l9 9-9 9-9-9z" />
      </pattern>
      <pattern id="points" width="56" height="32" patternUnits="userSpaceOnUse">
        <path d="M24 0h8v12l-4 20-4-20z" />
      </pattern>
    </defs>
    <svg y="100%" overflow="visible">
      <rect y="-32" width="4480" height="32" fill="url(#points)" />
      <rect y="-6272" width="4480" height="6240" fill="url(#bars)" />
    </svg>
  </svg>
</div>`

/** The outline of the mark. */
const BARS =
  'M4.75 2h2.5v23L6 30l-1.25-5zM11.42 2h2.5v23l-1.25 5-1.25-5zM18.08 2h2.5v23l-1.25 5-1.25-5zM24.75 2h2.5v23L26 30l-1.25-5zM2 6h28v2.25H2zM2 13h28v2.25H2zM2 20h28v2.25H2z'

const MARK = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
  <path d="${BARS}" />
</svg>`
