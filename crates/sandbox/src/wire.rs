//! What goes over the wire, as data: requests, and the parts of answers.

pub(crate) mod answer;
pub(crate) mod element;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod protocol;
pub(crate) mod request;
