# docker build -t rootbot .
# docker run --stop-timeout 30 -v rootbot:/data -v ./rootbot.yaml:/etc/rootbot/rootbot.yaml:ro --env-file rootbot.env rootbot
#
# rootbot finishes the step at hand before it leaves, for up to 25 seconds; Docker would kill it after 10, hence
# --stop-timeout. A volume that is not made by Docker must be writable by the user 65532.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# For a checkout whose .git lies elsewhere (a worktree): --build-arg GOFLAGS=-buildvcs=false
ARG GOFLAGS=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/rootbot ./cmd/rootbot
RUN mkdir -p /out/data /out/tmp

FROM scratch
# "rootbot version" tells the commit whatever this is.
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="rootbot" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/rootbot /usr/local/bin/rootbot
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/tmp /tmp
ENV PATH=/usr/local/bin \
    ROOTBOT_CONFIG=/etc/rootbot/rootbot.yaml \
    DATABASE_URL=sqlite:/data/rootbot.db \
    ROOTBOT_LISTEN=0.0.0.0:9090
USER 65532:65532
WORKDIR /data
VOLUME /data
# /healthz, /readyz and /metrics
EXPOSE 9090
ENTRYPOINT ["/usr/local/bin/rootbot"]
CMD ["serve"]
