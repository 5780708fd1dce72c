//! Made-up NHS numbers of the 999 test range.

use tributary_model::NhsNumber;

/// A valid number that is derived from a seed: the same seed gives the same number.
pub(crate) fn of_seed(seed: &str) -> String {
    // FNV-1a: stable over releases and platforms, which the hashers of the standard library are not.
    let hash = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    from(hash % 1_000_000)
}

/// A valid number that is not this one.
pub(crate) fn other_than(number: &str) -> String {
    let mut other = of_seed(number);
    if other == number {
        other = following(number);
    }
    other
}

/// The valid number that comes after this one of [`of_seed`].
pub(crate) fn following(number: &str) -> String {
    let serial: u64 = number.get(3..9).and_then(|serial| serial.parse().ok()).unwrap_or_default();
    from((serial + 1) % 1_000_000)
}

/// The first valid number from a serial on; one in eleven serials has no check digit.
fn from(serial: u64) -> String {
    (serial..serial + 20)
        .flat_map(|serial| (0..10).map(move |check| format!("999{:06}{check}", serial % 1_000_000)))
        .find(|candidate| NhsNumber::parse(candidate).is_ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_numbers_are_valid_and_stable() {
        for seed in ["", "a", "01.json", "02.json"] {
            let number = of_seed(seed);
            assert!(NhsNumber::parse(&number).is_ok(), "{number}");
            assert!(number.starts_with("999"));
            assert_eq!(number, of_seed(seed));
            assert_ne!(following(&number), number);
            assert!(NhsNumber::parse(&following(&number)).is_ok());
            assert_ne!(other_than(&number), number);
        }
    }
}
