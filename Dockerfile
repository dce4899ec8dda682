FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No dependency needs its install script. Without these scripts, no code from the registry runs in this build.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build \
    && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-trixie-slim
# `docker exec dockerwall COMMAND` works for every command.
# iptables contains both variants, nft and legacy; ipset lets you look at the sets.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends iptables ipset \
    && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY entrypoint.sh ./
RUN chmod 755 entrypoint.sh dist/main.js \
    && ln -s /app/dist/main.js /usr/local/bin/dockerwall \
    && node dist/cli/link-commands.js /usr/local/bin \
    && mkdir /etc/dockerwall
# Healthy means that the daemon can do its work. A mistake in one label must not keep all other containers from starting.
# Each check starts Node, and comes every five seconds all the same: `docker compose up --wait`, and services that depend
# on a healthy daemon, go on within five seconds of its being so.
HEALTHCHECK --interval=5s --timeout=10s --retries=3 --start-period=60s CMD ["dockerwall", "status", "--health"]
ENTRYPOINT ["/app/entrypoint.sh"]
CMD ["daemon"]
