/** HTML from templates. Each value is escaped, unless it is HTML itself. */

/** A piece of HTML. Only `html` creates one. */
export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** A value of a template. `false` and `undefined` become nothing. */
export type HtmlValue = string | number | Html | false | undefined | readonly Html[]

/**
 * Builds HTML. Values may be in the content of elements and in quoted attributes, but not in scripts, styles, tags or
 * unquoted attributes.
 *
 * @example
 * html`<p title="${title}">${name}</p>`
 */
export function html(literals: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(literals.reduce((text, literal, i) => text + toText(values[i - 1]) + literal))
}

function toText(value: HtmlValue): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.join('')
  return escapeHtml(displayable(String(value)))
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!)
}

/**
 * Removes characters that a reader can't see: controls, lone surrogates, and the marks that change the direction of
 * the text around them (Unicode UAX #9), with which a name could reorder the rest of its line.
 */
function displayable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
}
