/**
 * Headers of our own responses. They are data for programs, so a browser that opens one as a page or as a part of
 * another page must not run, frame or embed it. A route with a page of its own sets another policy.
 */
export const OWN_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
} as const
