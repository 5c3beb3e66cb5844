# The gateway, or with another command the sample legacy API: see docker-compose.yml.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY plugins ./plugins
COPY web ./web
RUN node scripts/build.mjs && npm prune --omit=dev

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY web ./web
# Created here, so that a volume mounted on it belongs to the user below. Keys are never part of an image.
RUN install --directory --owner=node --group=node --mode=700 /var/lib/portcullis/keys
USER node
EXPOSE 3000
# The port of examples/compose/portcullis.yaml. PORTCULLIS_LISTEN_PORT changes the port of the gateway and of this check.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORTCULLIS_LISTEN_PORT ?? 3000}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "dist/src/cli.js"]
CMD ["serve", "--config", "/etc/portcullis/portcullis.yaml"]
