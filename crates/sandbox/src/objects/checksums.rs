//! The checksums of objects (S3 user guide, "Checking object integrity in Amazon S3").

use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType};
use serde::{Deserialize, Serialize};

/// An algorithm that S3 computes checksums with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    /// `CRC32`
    Crc32,
    /// `CRC32C`
    Crc32c,
    /// `CRC64NVME`, which S3 uses where its client names none.
    Crc64Nvme,
    /// `SHA1`
    Sha1,
    /// `SHA256`
    Sha256,
}

/// Every algorithm.
pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

impl Algorithm {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => ChecksumAlgorithm::CRC32,
            Algorithm::Crc32c => ChecksumAlgorithm::CRC32C,
            Algorithm::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Algorithm::Sha1 => ChecksumAlgorithm::SHA1,
            Algorithm::Sha256 => ChecksumAlgorithm::SHA256,
        }
    }

    /// The algorithm with this name in the API.
    pub fn of(name: &str) -> Option<Algorithm> {
        let mut all = ALGORITHMS.into_iter();
        all.find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Adds this algorithm to those that a hasher computes.
    pub fn on(self, hasher: &mut ChecksumHasher) {
        match self {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
    }

    /// A hasher with this algorithm alone.
    pub fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        self.on(&mut hasher);
        hasher
    }
}

/// The checksums of some content, in Base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sums {
    /// `CRC32`
    pub crc32: Option<String>,
    /// `CRC32C`
    pub crc32c: Option<String>,
    /// `CRC64NVME`
    pub crc64nvme: Option<String>,
    /// `SHA1`
    pub sha1: Option<String>,
    /// `SHA256`
    pub sha256: Option<String>,
    /// Whether they are of the checksums of parts.
    pub is_composite: bool,
}

impl From<Checksum> for Sums {
    fn from(of: Checksum) -> Sums {
        Sums {
            crc32: of.checksum_crc32,
            crc32c: of.checksum_crc32c,
            crc64nvme: of.checksum_crc64nvme,
            sha1: of.checksum_sha1,
            sha256: of.checksum_sha256,
            is_composite: false,
        }
    }
}

impl Sums {
    /// The checksum by one algorithm.
    pub fn get(&self, algorithm: Algorithm) -> Option<&String> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_ref(),
            Algorithm::Crc32c => self.crc32c.as_ref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_ref(),
            Algorithm::Sha1 => self.sha1.as_ref(),
            Algorithm::Sha256 => self.sha256.as_ref(),
        }
    }

    /// The algorithms that there are checksums by.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let mut all = ALGORITHMS.to_vec();
        all.retain(|algorithm| self.get(*algorithm).is_some());
        all
    }

    /// The first algorithm whose checksum another one contradicts.
    pub fn contradicted(&self, by: &Sums) -> Option<Algorithm> {
        let mut all = ALGORITHMS.into_iter();
        all.find(
            |&algorithm| match (self.get(algorithm), by.get(algorithm)) {
                (Some(mine), Some(theirs)) => mine != theirs,
                _ => false,
            },
        )
    }

    /// What the API calls these checksums; `None` where there are none.
    pub fn kind(&self) -> Option<ChecksumType> {
        let kind = match self.is_composite {
            true => ChecksumType::COMPOSITE,
            false => ChecksumType::FULL_OBJECT,
        };
        let is_any = !self.algorithms().is_empty();
        is_any.then(|| ChecksumType::from_static(kind))
    }

    /// The names of the algorithms, as lists of objects state them.
    pub fn names(&self) -> Option<Vec<ChecksumAlgorithm>> {
        let names = self.algorithms().into_iter();
        let names: Vec<_> = names
            .map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name()))
            .collect();
        (!names.is_empty()).then_some(names)
    }

    /// The checksum of parts' checksums, as S3 states it of an object that was uploaded in parts;
    /// `None` where a part has none.
    pub fn composite(algorithm: Algorithm, parts: &[Sums]) -> Option<Sums> {
        let mut hasher = algorithm.hasher();
        for part in parts {
            let sum = base64_simd::STANDARD.decode_to_vec(part.get(algorithm)?);
            hasher.update(&sum.ok()?);
        }
        let mut sums = Sums::from(hasher.finalize());
        sums.is_composite = true;
        for sum in [
            &mut sums.crc32,
            &mut sums.crc32c,
            &mut sums.crc64nvme,
            &mut sums.sha1,
            &mut sums.sha256,
        ] {
            *sum = sum.take().map(|sum| format!("{sum}-{}", parts.len()));
        }
        Some(sums)
    }
}

/// States checksums in the members that every answer of the API has for them.
macro_rules! state_sums {
    ($answer:expr, $sums:expr) => {{
        $answer.checksum_crc32 = $sums.crc32.clone();
        $answer.checksum_crc32c = $sums.crc32c.clone();
        $answer.checksum_crc64nvme = $sums.crc64nvme.clone();
        $answer.checksum_sha1 = $sums.sha1.clone();
        $answer.checksum_sha256 = $sums.sha256.clone();
    }};
}

/// The checksums in the members that every request of the API has for them.
macro_rules! stated_sums {
    ($request:expr) => {
        $crate::objects::checksums::Sums {
            crc32: $request.checksum_crc32.clone(),
            crc32c: $request.checksum_crc32c.clone(),
            crc64nvme: $request.checksum_crc64nvme.clone(),
            sha1: $request.checksum_sha1.clone(),
            sha256: $request.checksum_sha256.clone(),
            is_composite: false,
        }
    };
}

pub(crate) use {state_sums, stated_sums};
