import t from 'tap'
import { html } from '../../src/pages/html.js'

t.test('values are escaped in content and in attributes, and HTML is not escaped twice', async (t) => {
  const hostile = `"><script>alert('x')</script>&`
  const inner = html`<b title="${hostile}">${hostile}</b>`
  const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;'
  t.equal(inner.toString(), `<b title="${escaped}">${escaped}</b>`)
  t.equal(html`<p>${inner}${[inner, inner]}</p>`.toString(), `<p>${String(inner).repeat(3)}</p>`)
  t.equal(html`${false}${undefined}${0}`.toString(), '0')
})

t.test('characters that nobody sees, or that reorder the text around them, are removed', async (t) => {
  t.equal(html`${'a\u202Eb\u0000c\u2066d\uD800e\nf'}`.toString(), 'abcdef')
  t.equal(html`${'名前 😀 ñ'}`.toString(), '名前 😀 ñ')
})
