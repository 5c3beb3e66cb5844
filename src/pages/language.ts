import { LANGUAGES } from './page-texts.js'
import type { Language } from './page-texts.js'

/**
 * Chooses the language of a page: the one that the query names (`lang`), else the one that the browser prefers
 * (`Accept-Language`, RFC 9110 §12.5.4), else English.
 */
export function chooseLanguage(named: unknown, accepted: string | undefined): Language {
  return parseLanguage(named) ?? preferred(accepted ?? '') ?? 'en'
}

/** Returns the language that `lang` of a query names, or `undefined` if it names none of ours. */
export function parseLanguage(named: unknown): Language | undefined {
  return LANGUAGES.find((language) => language === named)
}

/** The maximum number of language ranges that are read. */
const MAX_RANGES = 20

function preferred(header: string): Language | undefined {
  const ranges = header.split(',', MAX_RANGES).map((range) => {
    const [tag = '', ...parameters] = range
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/)
    const weight = parameters.find((one) => one.startsWith('q='))
    return { language: languageOf(tag), quality: weight === undefined ? 1 : Number(weight.slice(2)) }
  })
  const good = ranges.filter(({ language, quality }) => language !== undefined && quality > 0)
  return good.toSorted((a, b) => b.quality - a.quality)[0]?.language
}

function languageOf(tag: string): Language | undefined {
  if (tag === 'en' || tag.startsWith('en-')) return 'en'
  return tag === 'zh' || tag.startsWith('zh-') ? 'zh-CN' : undefined
}
