# workspaced: one Node process, one volume. Settings are environment variables; the README lists them.
#
#   docker build -t workspaced .
#   docker run -p 127.0.0.1:8080:8080 -v workspaced:/data --read-only --cap-drop ALL workspaced
#
# The optional dependencies are left out everywhere: they bring a Node for hosts that lack one, and the linters' binaries.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
RUN npm ci --omit=optional
COPY tsconfig.json ./
COPY src ./src
RUN npm run build && chmod +x dist/cli/main.js

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
# The database driver brings its sources and every platform's binary; source maps and type declarations run nowhere.
RUN npm ci --omit=dev --omit=optional \
 && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
 && find node_modules/better-sqlite3/prebuilds -type f ! -name 'linux-*' -delete \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:24-bookworm-slim
ARG VERSION=0.1.0
# Who the daemon is, and so who owns what it makes in workspaces: give the agents' containers the same, or see WORKSPACE_UID.
# `docker run --user` may choose another, with a volume that user owns.
ARG UID=1000
ARG GID=1000

LABEL org.opencontainers.image.title="workspaced" \
      org.opencontainers.image.description="Sandboxed file stores and agent workspaces over REST" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"

ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080 \
    DATA_DIR=/data

WORKDIR /app
COPY LICENSE package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN ln -s /app/dist/cli/main.js /usr/local/bin/workspaced \
 && install --directory --owner="${UID}" --group="${GID}" --mode=0750 /data

USER ${UID}:${GID}
VOLUME /data
EXPOSE 8080
# The daemon handles signals itself, also as process 1: it gives requests in flight 25 s to finish, then exits 0. Engines
# kill after 10 s unless told otherwise: `docker run --stop-timeout 30`.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT []
CMD ["node", "/app/dist/main.js"]
