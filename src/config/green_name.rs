//! Green's name where none is given.

use sha2::{Digest, Sha256};

/// How many characters an environment's name has at most (API reference,
/// `CreateEnvironment`).
pub(super) const NAME_MAX: usize = 40;
/// What is added to blue's name.
pub(super) const GREEN: &str = "-green";

/// The name of green where none is given: `BLUE-green`. Where that is longer than a name may
/// be, blue's name is cut, and a digest of the whole keeps it apart from others that begin
/// alike: the same blue always gives the same green.
#[must_use]
pub fn default_green(blue: &str) -> String {
    let whole = format!("{blue}{GREEN}");
    if whole.chars().count() <= NAME_MAX {
        return whole;
    }
    let digest = Sha256::digest(blue.as_bytes());
    let digest: String = digest[..3]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let room = NAME_MAX - GREEN.len() - digest.len() - 1;
    let begin: String = blue.chars().take(room).collect();
    format!("{}-{digest}{GREEN}", begin.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::is_environment_name;

    #[test]
    fn greens_name_fits_and_is_blues_alone() {
        assert_eq!(default_green("shop-blue"), "shop-blue-green");
        let edge = "a".repeat(34);
        assert_eq!(default_green(&edge), format!("{edge}-green"));
        let mut seen = std::collections::BTreeSet::new();
        for blue in [
            "a".repeat(35),
            "a".repeat(40),
            format!("{}-b", "a".repeat(38)),
            format!("{}-{}", "a".repeat(26), "b".repeat(13)),
        ] {
            let green = default_green(&blue);
            assert!(is_environment_name(&green), "{green}");
            assert!(green.ends_with("-green"), "{green}");
            assert_eq!(green, default_green(&blue));
            assert!(seen.insert(green), "{blue}");
        }
    }
}
