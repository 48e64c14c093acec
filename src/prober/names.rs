//! Where a name leads by DNS: by the resolver of this machine, or that of a sandbox.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::cloud::Led;

/// Timeout of all answers for a name.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);
/// The timeout of one request to a name server, and how many attempts the request has.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// The resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolver {
    /// The name servers that this machine is configured with, and its hosts file.
    System,
    /// The sandbox at this URL, which is its own name server.
    Sandbox(String),
}

impl Resolver {
    /// Where a name leads; a name that does not exist leads nowhere.
    ///
    /// # Errors
    /// Why that is unknown, in words.
    pub async fn look_up(&self, name: &str) -> Result<Led, String> {
        let told = tokio::time::timeout(RESOLVED_WITHIN, self.told(name)).await;
        let late = |_| {
            format!(
                "DNS does not answer for {name} within {}",
                humantime::format_duration(RESOLVED_WITHIN)
            )
        };
        let told = told.map_err(late)?;
        told.map_err(|why| format!("DNS does not answer for {name}: {why}"))
    }

    async fn told(&self, name: &str) -> Result<Led, NetError> {
        let mut builder = match self {
            Resolver::System => TokioResolver::builder_tokio()?,
            Resolver::Sandbox(url) => {
                let config = ResolverConfig::from_name_servers(name_servers(url).await?);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = ANSWERED_WITHIN;
        options.attempts = ATTEMPTS;
        // CNAME records are what is asked for.
        options.preserve_intermediates = true;
        let resolver = builder.build()?;
        // A name that ends in a dot is no domain's of this machine.
        let whole = format!("{}.", name.trim_end_matches('.'));
        let (four, six) = tokio::join!(
            resolver.lookup(whole.as_str(), RecordType::A),
            resolver.lookup(whole.as_str(), RecordType::AAAA),
        );
        let mut led = Led::default();
        let mut failed = Vec::new();
        for answered in [four, six] {
            match answered {
                Ok(answer) => {
                    for record in answer.answers() {
                        add(&mut led, &record.data);
                    }
                }
                Err(error) if error.is_no_records_found() || error.is_nx_domain() => {}
                Err(error) => failed.push(error),
            }
        }
        match failed.pop() {
            Some(error) if led == Led::default() => Err(error),
            _ => Ok(led),
        }
    }
}

/// Adds what a record says of where the name leads.
fn add(led: &mut Led, data: &RData) {
    let address = match data {
        RData::A(address) => IpAddr::from(address.0),
        RData::AAAA(address) => IpAddr::from(address.0),
        RData::CNAME(name) => {
            let name = name.to_ascii();
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if !led.names.contains(&name) {
                led.names.push(name);
            }
            return;
        }
        _ => return,
    };
    if !led.addresses.contains(&address) {
        led.addresses.push(address);
    }
}

/// The sandbox answers DNS at the port of its URL, over UDP.
async fn name_servers(url: &str) -> Result<Vec<NameServerConfig>, NetError> {
    let url = reqwest::Url::parse(url).map_err(|error| NetError::from(error.to_string()))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    let found = tokio::net::lookup_host((host, port)).await;
    let server = |at: SocketAddr| {
        let mut connection = ConnectionConfig::udp();
        connection.port = at.port();
        NameServerConfig::new(at.ip(), true, vec![connection])
    };
    Ok(found.map_err(NetError::from)?.map(server).collect())
}
