/** The posts of the blog. Replace this with your database. */
export function createPosts() {
  const posts = new Map([
    [1, { id: 1, title: 'Opening day', author: 'ada', published: true }],
    [2, { id: 2, title: 'Why the moat is dry', author: 'ada', published: false }],
  ])
  let lastId = 2
  return {
    all: () => [...posts.values()],
    published: () => [...posts.values()].filter((post) => post.published),
    get: (id) => posts.get(id),
    add(title, author) {
      const post = { id: ++lastId, title, author, published: true }
      posts.set(post.id, post)
      return post
    },
    change(id, title) {
      const post = posts.get(id)
      return post && Object.assign(post, { title })
    },
    remove: (id) => posts.delete(id),
  }
}
