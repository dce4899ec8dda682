FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No dependency needs its install script; without them nothing of the registry runs in this build.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build \
    && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-trixie-slim
# iptables has both variants, nft and legacy; ipset is for whoever wants to look at the sets.
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
    && ln -s /app/dist/main.js /usr/local/bin/stats \
    && mkdir /etc/dockerwall
# Healthy means: the daemon can do its work. A slip in somebody's label is no reason to start nobody's containers.
HEALTHCHECK --interval=5s --timeout=10s --retries=3 --start-period=60s CMD ["dockerwall", "status", "--health"]
ENTRYPOINT ["/app/entrypoint.sh"]
CMD ["daemon"]
