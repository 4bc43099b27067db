# The image of `sluice`: control plane, agent and command in one. `docker build -t sluice .`

FROM node:20-slim AS build
WORKDIR /sluice
COPY package.json package-lock.json .npmrc ./
# No install script runs: packages bring their binaries along.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY proto proto
COPY model model
COPY process process
COPY routing routing
COPY server server
COPY agent agent
COPY dashboard-api dashboard-api
COPY cli cli
COPY examples examples
RUN npm run build

FROM node:20-slim AS dependencies
WORKDIR /sluice
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# What installs packet rules before an application starts, as root with NET_ADMIN: `docker build --target intercept …`
FROM node:20-slim AS intercept
ENV NODE_ENV=production
RUN apt-get update \
  && apt-get install --yes --no-install-recommends iproute2 iptables nftables \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /sluice
COPY package.json LICENSE NOTICE ./
COPY --from=dependencies /sluice/node_modules node_modules
COPY --from=build /sluice/dist dist
RUN chmod +x dist/cli/main.js && ln -s /sluice/dist/cli/main.js /usr/local/bin/sluice
ENTRYPOINT ["sluice"]

FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /sluice
COPY package.json LICENSE NOTICE ./
COPY --from=dependencies /sluice/node_modules node_modules
COPY --from=build /sluice/dist dist
# A volume that is mounted here for the first time gets the owner of the folder.
RUN chmod +x dist/cli/main.js \
  && ln -s /sluice/dist/cli/main.js /usr/local/bin/sluice \
  && mkdir /var/lib/sluice \
  && chown node:node /var/lib/sluice
USER node
VOLUME /var/lib/sluice
# REST, agents' streams; outbound and inbound of an agent.
EXPOSE 7070 15010 15001 15006
# Of the control plane. An agent's is in docker-compose.yml.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7070/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["sluice"]
CMD ["server", "--http", "0.0.0.0:7070", "--grpc", "0.0.0.0:15010", "--data-dir", "/var/lib/sluice"]
