# The program, libchdb and the country table in one image. Everything is fetched
# with the pinned versions and hashes of scripts/fetch.sh and go.sum.
FROM node:24-bookworm-slim AS fetch
RUN apt-get update && apt-get install -y --no-install-recommends openssl && rm -rf /var/lib/apt/lists/*
COPY scripts/fetch.sh /src/scripts/fetch.sh
ENV XDG_CACHE_HOME=/opt/cache
RUN sh /src/scripts/fetch.sh

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -tags nomsgpack -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/tallystick ./cmd/tallystick

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libstdc++6 openssl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/tallystick --shell /usr/sbin/nologin tallystick \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/tallystick /var/lib/tallystick-kek
COPY --from=fetch /opt/cache /opt/cache
COPY --from=build /out/tallystick /usr/local/bin/tallystick
COPY scripts/compose-init.sh /usr/local/share/tallystick/compose-init.sh
COPY deploy/container.yaml /etc/tallystick/tallystick.yaml
ENV XDG_CACHE_HOME=/opt/cache
USER 10001:10001
WORKDIR /var/lib/tallystick
VOLUME ["/var/lib/tallystick", "/var/lib/tallystick-kek"]
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["tallystick", "--config", "/etc/tallystick/tallystick.yaml"]
CMD ["run"]
