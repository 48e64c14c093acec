//! Chance: pseudo-random numbers, of the world's own counter and seed.

use crate::time::Millis;
use crate::world::World;

impl World {
    /// The next number of the world's own counter.
    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Seeds chance: from now on the seed decides which requests a fault with a probability
    /// strikes, how ids are spelled, how long everything takes, and in which order.
    pub fn seed_chance(&mut self, seed: u64) {
        self.chance = seed;
    }

    /// The seed of its chance.
    #[must_use]
    pub fn seed_of_chance(&self) -> u64 {
        self.chance
    }

    /// The next of a sequence of pseudo-random numbers.
    pub(crate) fn random(&mut self) -> u64 {
        mixed(self.number(), self.chance)
    }

    /// The next number of another sequence, which only what happens in the world uses up, and no
    /// request: so the seed decides it however often clients poll.
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        mixed(self.drawn, !self.chance)
    }

    /// A time from `least` to `most`, both in milliseconds.
    pub(crate) fn between(&mut self, least: Millis, most: Millis) -> Millis {
        let span = most.saturating_sub(least).saturating_add(1);
        least + self.draw() % span
    }

    /// How long, in milliseconds, something takes that usually takes this many seconds.
    pub(crate) fn jittered(&mut self, seconds: u64) -> Millis {
        let usual = seconds.saturating_mul(1000);
        let most = usual / 100 * self.timings.jitter_percent.min(100);
        if most == 0 {
            return usual;
        }
        self.between(usual - most, usual.saturating_add(most))
    }

    /// Whether the next environment to be launched is healthy before it is Ready.
    pub(crate) fn is_healthy_early(&mut self) -> bool {
        let percent = self.timings.healthy_before_ready_percent;
        percent > 0 && self.between(1, 100) <= percent
    }

    /// A string of `length` letters and digits.
    pub(crate) fn letters(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
        (0..length)
            .map(|_| char::from(ALPHABET[(self.random() % ALPHABET.len() as u64) as usize]))
            .collect()
    }

    /// An id of the form of a request's.
    pub(crate) fn request_id(&mut self) -> String {
        let (a, b) = (self.random(), self.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            (b >> 48) & 0xfff,
            b & 0xffff_ffff_ffff
        )
    }
}

/// The number at a place in a sequence of pseudo-random ones (splitmix64).
fn mixed(place: u64, seed: u64) -> u64 {
    let mut z = place.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
