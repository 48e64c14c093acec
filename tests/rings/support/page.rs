//! Pages that come in AWS's place.

use bluegreen_sandbox::{FaultEffect, Page, Reaches};

/// A proxy's answer; a redirect leads to its login page.
pub fn page(status: u16, body: &str, reaches: Reaches) -> FaultEffect {
    page_with(&[], status, body, reaches)
}

/// The same with headers.
pub fn page_with(
    headers: &[(&str, &str)],
    status: u16,
    body: &str,
    reaches: Reaches,
) -> FaultEffect {
    let named = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    FaultEffect::ForeignAnswer {
        page: Page {
            status,
            location: (status == 302).then(|| "https://login.example/".to_owned()),
            headers: headers.iter().map(named).collect(),
            body: body.to_owned(),
        },
        reaches,
    }
}
