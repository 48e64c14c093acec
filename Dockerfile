# The build: Rust with a C compiler for SQLite and the TLS library.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin bluegreen

# The image: the binary, the certificate roots, and nothing to build with.
FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/bluegreen /usr/local/bin/bluegreen
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/bluegreen
ENV BLUEGREEN_STATE=/var/lib/bluegreen/bluegreen.db
VOLUME /var/lib/bluegreen
USER 10001:10001
ENTRYPOINT ["bluegreen"]
