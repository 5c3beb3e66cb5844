import { Type } from 'typebox'
import { leaf } from './leaf.js'

/** The settings of the gateway's own pages. They are off unless one of these settings, or `pages: {}`, is written. */
export const PagesSchema = Type.Object({
  login: leaf('pagePath', {
    description: 'path of the login page; pages are off unless a setting of pages, or pages: {}, is written',
    default: '/login',
  }),
  account: leaf('pagePath', {
    description: 'path of the page with the sessions of a user',
    default: '/account',
  }),
  title: leaf('text', {
    description: 'name of the site on the pages',
    default: 'Portcullis',
    maximum: 100,
  }),
  logo: Type.Optional(
    leaf('path', { description: 'image file (svg, png, jpg, webp or gif) in place of the mark' }),
  ),
  stylesheet: Type.Optional(
    leaf('path', { description: 'CSS file that is loaded after the pages’ own stylesheet' }),
  ),
})
