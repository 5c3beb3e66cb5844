export interface Post {
  readonly id: number
  readonly title: string
  readonly body: string
  readonly tags: readonly string[]
  readonly published: boolean
  readonly author: string
}

/** The fields of a post that a client sets. */
export type PostContent = Pick<Post, 'title' | 'body' | 'tags' | 'published'>

/** The posts of the blog. They are kept in memory, so a restart restores the samples. */
export interface Posts {
  list(isWanted: (post: Post) => boolean): Post[]
  get(id: number): Post | undefined
  /** Returns `undefined` if there are already `MAX_POSTS`. */
  add(content: PostContent, author: string): Post | undefined
  replace(id: number, content: PostContent): Post | undefined
  remove(id: number): boolean
}

const MAX_POSTS = 1000

const SAMPLES: readonly Omit<Post, 'id'>[] = [
  {
    title: 'Opening day',
    body: 'This blog has run since 2004. Nobody dares to touch its code.',
    tags: ['news'],
    published: true,
    author: 'alice',
  },
  {
    title: 'How to paint a drawbridge',
    body: 'Raise it first.',
    tags: ['howto', 'castle'],
    published: true,
    author: 'bob',
  },
  {
    title: 'Why the moat is dry',
    body: 'A draft: only readers that the gateway knows may see it.',
    tags: ['castle'],
    published: false,
    author: 'alice',
  },
]

export function samplePosts(): Posts {
  const posts = new Map<number, Post>(SAMPLES.map((post, at) => [at + 1, { id: at + 1, ...post }]))
  let lastId = posts.size
  return {
    list: (isWanted) => [...posts.values()].filter(isWanted),
    get: (id) => posts.get(id),
    add(content, author) {
      if (posts.size >= MAX_POSTS) return undefined
      const post = { id: ++lastId, ...content, author }
      posts.set(post.id, post)
      return post
    },
    replace(id, content) {
      const old = posts.get(id)
      if (old === undefined) return undefined
      const post = { ...old, ...content }
      posts.set(id, post)
      return post
    },
    remove: (id) => posts.delete(id),
  }
}
