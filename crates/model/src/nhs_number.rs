//! The NHS number and its check digit.

use std::fmt;

/// The identifier system of the NHS number, in STU3 and in R4.
pub const NHS_NUMBER_SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// A ten-digit NHS number whose check digit is right (NHS Data Dictionary, modulus 11).
///
/// `Debug` is redacted: the number identifies a patient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NhsNumber([u8; 10]);

/// Why a text is not an NHS number. It never carries the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberError {
    /// Not ten digits (single spaces or hyphens between groups are allowed).
    #[error("an nhs number has ten digits")]
    Shape,
    /// Ten digits, but the last is not the check digit of the first nine.
    #[error("the check digit of the nhs number is wrong")]
    CheckDigit,
}

impl NhsNumber {
    /// Reads ten digits; spaces and hyphens are ignored, nothing else is.
    pub fn parse(text: &str) -> Result<Self, NhsNumberError> {
        let mut digits = [0_u8; 10];
        let mut count = 0;
        for byte in text.bytes() {
            match byte {
                b' ' | b'-' => {}
                b'0'..=b'9' => {
                    *digits.get_mut(count).ok_or(NhsNumberError::Shape)? = byte;
                    count += 1;
                }
                _ => return Err(NhsNumberError::Shape),
            }
        }
        if count != digits.len() {
            return Err(NhsNumberError::Shape);
        }
        let number = Self(digits);
        if number.check_digit_holds() { Ok(number) } else { Err(NhsNumberError::CheckDigit) }
    }

    fn check_digit_holds(self) -> bool {
        let digit = |byte: u8| u32::from(byte - b'0');
        let sum: u32 =
            self.0.iter().take(9).zip((2..=10).rev()).map(|(byte, weight)| digit(*byte) * weight).sum();
        // 11 - (sum mod 11); a result of 11 means 0, a result of 10 never matches a digit.
        let expected = (11 - sum % 11) % 11;
        self.0.last().is_some_and(|last| digit(*last) == expected)
    }

    /// The ten digits. Only for the wire, the audit record and the patient banner.
    pub fn expose(&self) -> &str {
        // The constructor admits ASCII digits only, so this is always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The digits grouped 3-3-4 for people, as the NHS user-interface guidance asks (`999 000 0107`).
    pub fn grouped(&self) -> String {
        let mut grouped = self.expose().to_owned();
        grouped.insert(6, ' ');
        grouped.insert(3, ' ');
        grouped
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn story_numbers_are_valid() {
        for text in ["9990000107", "999 000 0204", "999-000-0301", "9990000409"] {
            assert!(NhsNumber::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn wrong_check_digit_is_told_apart_from_wrong_shape() {
        assert_eq!(NhsNumber::parse("9990000019"), Err(NhsNumberError::CheckDigit));
        for text in ["", "999", "99900001071", "999000010x", "９９９００００１０７"] {
            assert_eq!(NhsNumber::parse(text), Err(NhsNumberError::Shape), "{text}");
        }
    }

    #[test]
    fn remainder_ten_is_never_valid() {
        for last in 0..=9 {
            assert!(NhsNumber::parse(&format!("999000000{last}")).is_err());
        }
    }

    #[test]
    fn people_read_three_three_four() {
        assert_eq!(NhsNumber::parse("9990000107").unwrap().grouped(), "999 000 0107");
    }
}
