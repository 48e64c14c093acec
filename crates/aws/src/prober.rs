//! The interface to environments' web sites and to name servers: this crate itself sends requests
//! to AWS alone.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use bluegreen_core::acceptance::AcceptanceTest;
use bluegreen_core::command::{Ran, Run};
use bluegreen_core::facts::{Probe, Site};

/// Tests an environment.
#[async_trait]
pub trait Prober: fmt::Debug + Send + Sync {
    /// Sends a test to an environment.
    async fn probe(&self, test: &AcceptanceTest, site: &Site) -> Probe;

    /// Runs a command that tests an environment.
    async fn run(&self, run: &Run) -> Ran;

    /// How many addresses a load balancer's name resolves to: each is one of its nodes. `None`
    /// where that is not known.
    async fn nodes(&self, _endpoint: &str) -> Option<u32> {
        None
    }

    /// The text at a URL that the service has signed, the beginning of it where it is long; the error
    /// says in words why it is not there, without the URL, which opens it for anybody.
    async fn fetch(&self, _url: &str) -> Result<String, String> {
        Err("nothing here fetches it".to_owned())
    }

    /// Where a name leads by DNS; the error says in words why that is unknown.
    async fn look_up(&self, name: &str) -> Result<Led, String>;
}

/// Where a name leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Led {
    /// The names on the way after it, in lower case and without their last dot: that of each CNAME
    /// record. A provider that flattens CNAMEs returns none.
    pub names: Vec<String>,
    /// The addresses in the end; none where there is no such name.
    pub addresses: Vec<IpAddr>,
}
