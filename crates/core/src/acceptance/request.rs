//! A request of a test, and the front of the environment that it goes to.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How requests for a path reach an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// By http, on port 80.
    #[default]
    Http,
    /// By https: its load balancer does not listen for http.
    Https {
        /// The port that it listens on.
        port: u16,
    },
}

impl Front {
    /// The beginning of a URL of an environment that answers under `cname`.
    #[must_use]
    pub fn url(self, cname: &str) -> String {
        match self {
            Front::Http => format!("http://{cname}"),
            Front::Https { port: 443 } => format!("https://{cname}"),
            Front::Https { port } => format!("https://{cname}:{port}"),
        }
    }
}

/// A request to send. It may hold secrets, so it is not for printing.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The name to present in place of the URL's own.
    pub host: Option<String>,
    /// Whether the certificate must hold the name that is presented. It cannot where nobody has
    /// said the site's name: none of one's own holds a CNAME of Elastic Beanstalk.
    pub verifies_name: bool,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

/// A variable that a test needs is not set, or holds what a header cannot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the variable {name} {wrong}, which {place} takes its value from")]
pub struct Unset {
    /// The variable.
    pub name: String,
    /// What is wrong with it, without its value.
    pub wrong: &'static str,
    /// What needs it.
    pub place: String,
}
