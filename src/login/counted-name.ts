import { normaliseName } from './users-file.js'

/** Letters that many databases compare as equal to others, although Unicode doesn't decompose them. */
const LETTERS: Readonly<Record<string, string>> = {
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ŧ: 't',
  þ: 'th',
}

/**
 * Returns the spelling under which the logins of a name are counted. It is the same for all spellings that some
 * database compares as equal: without regard to case, accents, width, invisible characters and blanks at the ends. For
 * example, `josé` is `jose` to MySQL. Otherwise a guesser would have a limit for each spelling.
 *
 * Two users whose names differ only in that share their limit. Users are never looked up by this spelling.
 */
export function countedName(name: string): string {
  const folded = normaliseName(name)
    .normalize('NFKD')
    .replaceAll(/[\p{M}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    // The upper case of `ß` is `SS`, and that of `ς` is the same as of `σ`.
    .toUpperCase()
    .toLowerCase()
    .replaceAll(/[æœøłđðħŧþ]/g, (letter) => LETTERS[letter]!)
    // `ß` equals `ss` in some databases, and `s` in others.
    .replaceAll(/s{2,}/g, 's')
  return normaliseName(folded)
}
