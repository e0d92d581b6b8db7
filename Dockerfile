# Checked for its form by test/container-files.test.ts; no container engine has built it yet (docs/operators-guide.md).
FROM node:24-bookworm-slim

# ipxe: the loaders that machines get. libcap2-bin: lets an unprivileged user bind ports 67, 69 and 4011.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ipxe libcap2-bin \
 && rm -rf /var/lib/apt/lists/* \
 && setcap cap_net_bind_service=+ep /usr/local/bin/node

WORKDIR /opt/pilotlight
COPY package.json package-lock.json .npmrc ./
# The base image has Node 24; the one that npm could bring is left out.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force
COPY src ./src
COPY boot-assets ./boot-assets
COPY migrations ./migrations
COPY docs ./docs
COPY README.md LICENSE ./
RUN node src/start.js assets install \
 && install -d -o node -g node -m 0700 /var/lib/pilotlight

USER node
ENV PILOTLIGHT_DATA_DIR=/var/lib/pilotlight
VOLUME /var/lib/pilotlight
# DHCP, TFTP, proxyDHCP, boot HTTP. The operator API keeps to loopback.
EXPOSE 67/udp 69/udp 4011/udp 8080/tcp
HEALTHCHECK --interval=15s --timeout=3s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8090/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "src/start.js", "serve"]
