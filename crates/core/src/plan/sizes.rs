//! How many instances an environment's group may have.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many instances an environment's group may have (developer guide, "General
/// options for all environments": `aws:autoscaling:asg`, `MinSize` and `MaxSize`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Sizes {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl Sizes {
    /// These sizes with at least so many instances.
    #[must_use]
    pub fn holding(self, instances: u32) -> Sizes {
        Sizes {
            min: self.min.max(instances),
            max: self.max.max(instances),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

impl FromStr for Sizes {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Sizes, Self::Err> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        Ok(Sizes {
            min: min.parse()?,
            max: max.parse()?,
        })
    }
}

/// Which of an environment's two sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Which {
    /// The least.
    pub min: bool,
    /// The most.
    pub max: bool,
}

impl Which {
    /// Neither.
    pub const NONE: Which = Which {
        min: false,
        max: false,
    };
    /// Both.
    pub const BOTH: Which = Which {
        min: true,
        max: true,
    };

    /// Those in which two sizes differ.
    #[must_use]
    pub fn differing(one: Sizes, other: Sizes) -> Which {
        Which {
            min: one.min != other.min,
            max: one.max != other.max,
        }
    }

    /// Whether it is one of them at least.
    #[must_use]
    pub fn any(self) -> bool {
        self.min || self.max
    }
}

/// The values that a deployment has given to an environment's sizes, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnSizes {
    /// Those of the least.
    pub min: Vec<u32>,
    /// Those of the most.
    pub max: Vec<u32>,
    /// The least that was found where the deployment set its own over it; none where that was its
    /// own.
    pub min_before: Option<u32>,
    /// The most that was found where the deployment set its own over it; none where that was its
    /// own.
    pub max_before: Option<u32>,
}

impl OwnSizes {
    /// Adds those that are set over what was found.
    pub fn add(&mut self, sizes: Sizes, sets: Which, over: Sizes) {
        let ours = self.among(over);
        if sets.min {
            if !ours.min {
                self.min_before = Some(over.min);
            }
            self.min.push(sizes.min);
        }
        if sets.max {
            if !ours.max {
                self.max_before = Some(over.max);
            }
            self.max.push(sizes.max);
        }
    }

    /// Whether nothing of its own is in force any more, because it has been removed.
    #[must_use]
    pub fn is_taken_back(&self) -> bool {
        self.min.is_empty() && self.max.is_empty()
    }

    /// Which of these sizes are not what it had found.
    #[must_use]
    pub fn lacks(&self, sizes: Sizes) -> Which {
        let differs = |before: Option<u32>, now| before.is_some_and(|before| before != now);
        Which {
            min: differs(self.min_before, sizes.min),
            max: differs(self.max_before, sizes.max),
        }
    }

    /// The sizes to restore: what was found, else those at the start.
    #[must_use]
    pub fn to_go_back_to(&self, at_first: Sizes) -> Sizes {
        Sizes {
            min: self.min_before.unwrap_or(at_first.min),
            max: self.max_before.unwrap_or(at_first.max),
        }
    }

    /// Which of these sizes the deployment has set so.
    #[must_use]
    pub fn among(&self, sizes: Sizes) -> Which {
        Which {
            min: self.min.contains(&sizes.min),
            max: self.max.contains(&sizes.max),
        }
    }
}
