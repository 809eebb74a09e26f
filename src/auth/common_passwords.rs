//! The 10,000 most common passwords.
//!
//! The list holds the 10,000 most frequent passwords of the list that Django ships for the same purpose
//! (`django/contrib/auth/common-passwords.txt.gz` of version 5.2.19, compiled by Royce Williams from breached
//! accounts), in lower case, without three broken entries, sorted by bytes.

const SORTED: &str = include_str!("common_passwords.txt");

/// Reports whether `password` is in the list, in any case.
pub fn is_common(password: &str) -> bool {
    let wanted = password.to_lowercase();
    let (mut low, mut high) = (0, SORTED.len());
    // A binary search over lines needs no unpacking at start and no memory.
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = SORTED.as_bytes()[..middle].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let end =
            SORTED.as_bytes()[start..].iter().position(|&byte| byte == b'\n').map_or(SORTED.len(), |at| start + at);
        match SORTED.as_bytes()[start..end].cmp(wanted.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_listed_passwords_are_found_in_any_case() {
        assert_eq!(SORTED.lines().count(), 10_000);
        for line in SORTED.lines() {
            assert!(is_common(line) && is_common(&line.to_uppercase()), "{line}");
            assert!(!is_common(&format!("{line}\u{1}")));
        }
        for fine in ["", "quiet-otter-7", "zebra-mug-41", "alicenew12", "\u{10ffff}"] {
            assert!(!is_common(fine), "{fine}");
        }
    }
}
