//! TLS to an environment whose site's name nobody has configured.

use std::sync::OnceLock;

use reqwest::{Certificate, ClientBuilder};

/// The client that accepts a certificate for whatever name, where its chain leads to one of the
/// system's roots and its dates hold: no certificate that a customer gets holds a CNAME of Elastic
/// Beanstalk, and the request goes to the environment's own load balancer, not to a name.
///
/// # Errors
/// The system has no roots.
pub(super) fn whatever_name(builder: ClientBuilder) -> Result<ClientBuilder, String> {
    static ROOTS: OnceLock<Vec<Certificate>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs().certs.into_iter();
        found
            .filter_map(|der| Certificate::from_der(&der).ok())
            .collect()
    });
    if roots.is_empty() {
        return Err("this machine has no root certificates to verify TLS with".to_owned());
    }
    Ok(with_roots(builder, roots))
}

/// The client with these roots.
pub(super) fn with_roots(builder: ClientBuilder, roots: &[Certificate]) -> ClientBuilder {
    builder
        .tls_certs_only(roots.to_vec())
        .tls_danger_accept_invalid_hostnames(true)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    /// Made for these tests alone, as the key beside them: a root, and of www.shop.example a
    /// certificate for a hundred years and one that ended in 2021.
    const ROOT: &[u8] = include_bytes!("trust/ca.pem");
    const SITE: &[u8] = include_bytes!("trust/site.pem");
    const EXPIRED: &[u8] = include_bytes!("trust/expired.pem");
    const KEY: &[u8] = include_bytes!("trust/site.key");

    /// A site that answers one request by TLS with this certificate.
    async fn site(certificate: &[u8]) -> SocketAddr {
        let chain = vec![CertificateDer::from_pem_slice(certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config
            .with_single_cert(chain, key)
            .expect("they belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            // Who does not trust it hangs up.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        address
    }

    /// The status that a site answers by this name.
    async fn asked(certificate: &[u8], name: &str, builder: ClientBuilder) -> Result<u16, String> {
        let address = site(certificate).await;
        let client = builder.no_proxy().resolve_to_addrs(name, &[address]);
        let client = client.build().expect("a client");
        let answer = client
            .get(format!("https://{name}:{}/", address.port()))
            .send()
            .await;
        let answer = answer.map_err(crate::prober::root_cause)?;
        Ok(answer.status().as_u16())
    }

    /// Developer guide, "Configuring HTTPS for your Elastic Beanstalk environment": the
    /// certificate is of a domain of one's own, not of the environment's CNAME.
    #[tokio::test]
    async fn a_chain_is_verified_and_a_name_is_not() {
        let root = || vec![Certificate::from_pem(ROOT).expect("a root")];
        let cname = "shop.elasticbeanstalk.invalid";
        let lenient = || with_roots(ClientBuilder::new(), &root());
        assert_eq!(asked(SITE, cname, lenient()).await, Ok(200));
        assert_eq!(asked(SITE, "www.shop.example", lenient()).await, Ok(200));
        let expired = asked(EXPIRED, cname, lenient())
            .await
            .expect_err("it ended in 2021");
        assert!(expired.contains("xpired"), "{expired}");
        // A root that the system does not have.
        let system = whatever_name(ClientBuilder::new()).expect("it has roots");
        let unknown = asked(SITE, cname, system)
            .await
            .expect_err("nobody knows it");
        assert!(unknown.contains("UnknownIssuer"), "{unknown}");
        // Where the name is said it must be there.
        let strict = || ClientBuilder::new().tls_certs_only(root());
        assert_eq!(asked(SITE, "www.shop.example", strict()).await, Ok(200));
        let other = asked(SITE, cname, strict())
            .await
            .expect_err("another name");
        assert!(
            other.contains("NotValidForName") || other.contains("not valid for name"),
            "{other}"
        );
    }
}
