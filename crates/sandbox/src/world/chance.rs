//! Chance: pseudo-random numbers, of the world's own counter and seed.

use crate::world::World;

impl World {
    /// The next number of the world's own counter.
    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Seeds chance: from now on the seed decides which requests a fault with a probability
    /// strikes, and how ids are spelled.
    pub fn seed_chance(&mut self, seed: u64) {
        self.chance = seed;
    }

    /// The next of a sequence of pseudo-random numbers (splitmix64).
    pub(crate) fn random(&mut self) -> u64 {
        let mut z = self.number().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
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
