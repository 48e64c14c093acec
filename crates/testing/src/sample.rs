//! How much the tests try: everything, or a sample by a seed that they print.
//!
//! `cargo test` tries a part of what takes long, another one each time, so that it is over in
//! minutes; `BLUEGREEN_TESTS=full cargo test` tries all of it, as `.ci/run` does. What failed in a
//! sample is tried again with its seed, `BLUEGREEN_TESTS_SEED=1234`.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::tell;

const TESTS: &str = "BLUEGREEN_TESTS";
const SEED: &str = "BLUEGREEN_TESTS_SEED";

/// Whether the tests must try everything.
pub fn is_full() -> bool {
    match std::env::var(TESTS).as_deref() {
        Err(_) | Ok("" | "quick") => false,
        Ok("full") => true,
        Ok(other) => panic!("{TESTS} is quick or full, not {other:?}"),
    }
}

/// So many of these in their order, or all of them where the tests must try everything.
pub fn sampled<T>(what: &str, all: impl IntoIterator<Item = T>, so_many: usize) -> Vec<T> {
    let mut all: Vec<(usize, T)> = all.into_iter().enumerate().collect();
    let count = all.len();
    if !is_full() && count > so_many {
        tell(&format!(
            "{what}: {so_many} of {count}, by {SEED}={}",
            seed()
        ));
        random().shuffle(&mut all);
        all.truncate(so_many);
        all.sort_by_key(|(at, _)| *at);
    }
    all.into_iter().map(|(_, one)| one).collect()
}

/// What samples are drawn with: the same in every test of a process.
pub fn random() -> fastrand::Rng {
    fastrand::Rng::with_seed(seed())
}

/// The seed of the samples, and of chance in the sandboxes that are released into.
pub fn seed() -> u64 {
    static DRAWN: OnceLock<u64> = OnceLock::new();
    *DRAWN.get_or_init(|| match std::env::var(SEED) {
        Ok(given) => given
            .parse()
            .unwrap_or_else(|_| panic!("{SEED} is a number, not {given:?}")),
        Err(_) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let drawn = u64::from(now.expect("it is after 1970").subsec_nanos());
            tell(&format!("{SEED}={drawn}"));
            drawn
        }
    })
}
