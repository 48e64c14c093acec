//! What must follow a swap beside the CNAMEs: the rules of a load balancer that both environments
//! share, and the preview hostnames. The machine moves both by effects
//! ([`machine`](crate::machine)).

pub mod listener_rules;
pub mod preview;
