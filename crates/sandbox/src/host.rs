//! The host that a request is for.

use http::Request;
use http::header::HOST;

/// The host that a request is for, without its port, in lower case: of an
/// absolute URI as a proxy gets it, else of the Host header.
pub(crate) fn host<B>(request: &Request<B>) -> String {
    let header = || request.headers().get(HOST)?.to_str().ok();
    let host = request.uri().host().or_else(header).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    name.unwrap_or_default().to_ascii_lowercase()
}

/// Whether a host is an address of the sandbox's own, or one of AWS.
pub(crate) fn is_own(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.ends_with(".amazonaws.com")
        || host.parse::<std::net::IpAddr>().is_ok()
}
