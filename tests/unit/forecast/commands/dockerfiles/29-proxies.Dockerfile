FROM --platform=$BUILDPLATFORM golang:1.22 AS build
ARG TARGETARCH
RUN GOARCH=$TARGETARCH go build -o /out/tool-$TARGETARCH ./cmd
FROM debian:12
ARG TARGETARCH
COPY --from=build /out/tool-amd64 /usr/bin/tool
RUN wget http://example.org/$TARGETARCH.bin
