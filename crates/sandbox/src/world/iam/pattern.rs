//! Patterns of texts and ARNs.

/// Whether an ARN fits a pattern: each of the six parts by itself, for a wildcard
/// does not reach across a colon but in the last one.
pub(crate) fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let mut parts = arn.splitn(6, ':');
    pattern
        .splitn(6, ':')
        .all(|pattern| parts.next().is_some_and(|part| like(pattern, part)))
}

/// Whether a text fits a pattern in which `*` stands for any characters and `?` for one.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            last_star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = last_star {
            last_star = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_within_a_part_of_the_arn() {
        for (pattern, arn, fits) in [
            ("*", "arn:aws:s3:::a/b", true),
            ("arn:aws:s3:::a/*", "arn:aws:s3:::a/b/c", true),
            ("arn:aws:s3:::a/?", "arn:aws:s3:::a/bc", false),
            ("arn:aws:s3:::a", "arn:aws:s3:::a/b", false),
            ("arn:aws:*:::a", "arn:aws:s3:::a", true),
            ("arn:*:a", "arn:aws:s3:::a", false),
            (
                "arn:aws:cloudwatch:*:1:alarm:a-*",
                "arn:aws:cloudwatch:x:1:alarm:a-b:c",
                true,
            ),
            ("arn:aws:s3:::a*b*c", "arn:aws:s3:::aXbYbZc", true),
            ("arn:aws:s3:::a*b*c", "arn:aws:s3:::aXcYb", false),
            ("arn:aws:s3:::a", "*", false),
        ] {
            assert_eq!(arn_like(pattern, arn), fits, "{pattern} {arn}");
        }
    }
}
