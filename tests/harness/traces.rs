//! Whether a text tells anything of a patient.

/// A word of up to this many digits stands in identifiers and times by chance: every few hundred spans hold `1953`.
const SHORT: usize = 4;

/// Whether this trace of a patient is in a text.
///
/// Short digits count where they stand as people and formats write them: as a number of their own (`Feb-1953`,
/// `1953-02`, `999 000 0107`). Within a longer run of letters and digits, or as a group of a UUID, they are chance;
/// who looks for a date or a number written without gaps looks for all of it.
#[must_use]
pub fn tells(text: &str, trace: &str) -> bool {
    let by_chance = trace.len() <= SHORT && trace.bytes().all(|byte| byte.is_ascii_digit());
    text.match_indices(trace).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + trace.len()..].chars().next();
        let apart = |beside: Option<char>| !beside.is_some_and(char::is_alphanumeric);
        let grouped = before == Some('-') && after == Some('-');
        !by_chance || (apart(before) && apart(after) && !grouped)
    })
}

#[cfg(test)]
mod tests {
    use super::tells;

    #[test]
    fn short_digits_are_found_where_people_write_them() {
        let born = [
            "born 1953",
            "\"1953-02-11\"",
            "11-Feb-1953, Male",
            "11/02/1953",
            "1953",
            "a1953 and 1953",
            "{\"birthDate\":\"1953\"}",
        ];
        assert!(born.iter().all(|text| tells(text, "1953")), "{born:?}");
        let chance = ["1795348291953000123", "9f1953ab", "3907bf04-1953-41d0-910d-a842aa90ebb1", "195x", ""];
        assert!(!chance.iter().any(|text| tells(text, "1953")), "{chance:?}");
        assert!(tells("x9990000107x", "9990000107") && tells("xCANARYx", "CANARY") && !tells("x", "CANARY"));
    }
}
