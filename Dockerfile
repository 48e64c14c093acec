# Two images: `docker build .` makes the one without a shell, `docker build --target shell .` the one
# with Debian's tools, for hooks, test commands and CI systems that run scripts in the image.

# The build: Rust with a C compiler for SQLite and the TLS library.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# The dependencies are a layer of their own, built from the manifests alone: what changes below src/
# rebuilds the crates of the workspace and nothing else.
COPY Cargo.toml Cargo.lock ./
COPY crates/aws/Cargo.toml crates/aws/
COPY crates/clock/Cargo.toml crates/clock/
COPY crates/core/Cargo.toml crates/core/
COPY crates/journal/Cargo.toml crates/journal/
COPY crates/sandbox/Cargo.toml crates/sandbox/
COPY crates/testing/Cargo.toml crates/testing/
RUN mkdir -p src tests/rings benches \
    && echo 'fn main() {}' | tee src/main.rs tests/rings/main.rs > benches/checkpoint.rs \
    && for crate in crates/*; do mkdir "$crate/src" && : > "$crate/src/lib.rs"; done \
    && cargo build --release --locked --bin bluegreen \
    && rm -r src crates target/release/.fingerprint/bluegreen*
COPY . .
RUN cargo build --release --locked --bin bluegreen \
    && install -d -m 0700 /state

FROM debian:bookworm-slim AS shell
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/bluegreen /usr/local/bin/bluegreen
COPY --from=build /src/LICENSE /usr/share/doc/bluegreen/LICENSE
COPY --from=build --chown=10001:10001 /state /var/lib/bluegreen
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bluegreen" \
      org.opencontainers.image.description="Crash-safe blue/green deployments for AWS Elastic Beanstalk" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV BLUEGREEN_STATE=/var/lib/bluegreen/bluegreen.db
# With a read-only root file system these two are what can be written.
VOLUME ["/var/lib/bluegreen", "/tmp"]
USER 10001:10001
ENTRYPOINT ["bluegreen"]

# glibc, the certificate roots, and nothing else.
FROM gcr.io/distroless/cc-debian12 AS distroless
COPY --from=build /src/target/release/bluegreen /usr/local/bin/bluegreen
COPY --from=build /src/LICENSE /usr/share/doc/bluegreen/LICENSE
COPY --from=build --chown=10001:10001 /state /var/lib/bluegreen
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bluegreen" \
      org.opencontainers.image.description="Crash-safe blue/green deployments for AWS Elastic Beanstalk" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV BLUEGREEN_STATE=/var/lib/bluegreen/bluegreen.db
VOLUME ["/var/lib/bluegreen", "/tmp"]
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/bluegreen"]
