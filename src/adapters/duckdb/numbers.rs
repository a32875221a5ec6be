//! Numbers that may be too long or too exact for JSON.
//!
//! A JSON number is used when readers that parse it as a 64-bit integer or as a double get exactly
//! the value; otherwise the decimal digits are text.

use serde_json::Value;
use std::fmt::Write as _;

/// A HUGEINT.
pub(super) fn huge(value: i128) -> Value {
    if let Ok(small) = i64::try_from(value) {
        return small.into();
    }
    u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from)
}

/// A UHUGEINT.
pub(super) fn unsigned_huge(value: u128) -> Value {
    u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from)
}

/// A FLOAT, as the shortest double that reads the same, so that 0.1 stays 0.1.
pub(super) fn float(value: f32) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    value.to_string().parse::<f64>().unwrap_or_else(|_| value.into()).into()
}

/// A DECIMAL: `digits` divided by ten to the power of `scale`.
pub(super) fn decimal(digits: i128, scale: u8) -> Value {
    if scale == 0 {
        return huge(digits);
    }
    if let Some(double) = short_decimal(digits, scale) {
        return double.into();
    }
    let text = decimal_text(digits, scale);
    match text.parse::<f64>() {
        // Rust prints the shortest digits that read back as the same double, without exponent.
        Ok(double) if double.to_string() == text => double.into(),
        _ => text.into(),
    }
}

/// A DECIMAL of at most 15 digits, which a double always keeps.
///
/// Both numbers of the division are exact, so its result is the double closest to the quotient:
/// the same that parsing the text gives, at a tenth of the time.
fn short_decimal(digits: i128, scale: u8) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    const LIMIT: u64 = 1_000_000_000_000_000;
    let magnitude = u64::try_from(digits.unsigned_abs()).ok().filter(|magnitude| *magnitude < LIMIT)?;
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits fit the 53 bits of a double")]
    let double = magnitude as f64 / POWERS.get(usize::from(scale))?;
    Some(if digits < 0 { -double } else { double })
}

/// The digits with a point, without zeroes at the end.
fn decimal_text(digits: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let magnitude = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = magnitude.split_at(magnitude.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let sign = if digits < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// A BIGNUM: three bytes of which the first bit is the sign and the rest the length, then the
/// magnitude, the highest byte first; all bits are turned when it is negative.
pub(super) fn bignum(bytes: &[u8]) -> Value {
    const HEADER: usize = 3;
    let (Some(first), Some(magnitude)) = (bytes.first(), bytes.get(HEADER..)) else { return Value::Null };
    let is_negative = first & 0x80 == 0;
    let magnitude = magnitude.iter().map(|byte| if is_negative { !byte } else { *byte });
    let text = decimal_digits(magnitude);
    let text = if is_negative && text != "0" { format!("-{text}") } else { text };
    text.parse::<i128>().map_or_else(|_| text.clone().into(), huge)
}

/// The decimal digits of a number given in bytes, the highest first.
fn decimal_digits(bytes: impl Iterator<Item = u8>) -> String {
    const GROUP: u64 = 1_000_000_000;
    // Groups of nine digits, the lowest first.
    let mut groups: Vec<u64> = vec![0];
    for byte in bytes {
        let mut carry = u64::from(byte);
        for group in &mut groups {
            let value = *group * 256 + carry;
            *group = value % GROUP;
            carry = value / GROUP;
        }
        if carry > 0 {
            groups.push(carry);
        }
    }
    let mut highest_first = groups.iter().rev();
    let mut text = highest_first.next().map_or_else(String::new, u64::to_string);
    for group in highest_first {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{group:09}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_of_64_bits_stay_numbers() {
        assert_eq!(huge(i64::MIN.into()), json!(i64::MIN));
        assert_eq!(huge(u64::MAX.into()), json!(u64::MAX));
        assert_eq!(huge(i128::from(u64::MAX) + 1), json!("18446744073709551616"));
        assert_eq!(huge(i128::from(i64::MIN) - 1), json!("-9223372036854775809"));
        assert_eq!(unsigned_huge(u128::MAX), json!("340282366920938463463374607431768211455"));
    }

    #[test]
    fn a_decimal_is_a_number_only_when_a_double_keeps_it() {
        assert_eq!(decimal(12_345, 3), json!(12.345));
        assert_eq!(decimal(-5, 2), json!(-0.05));
        assert_eq!(decimal(1200, 2), json!(12.0));
        assert_eq!(decimal(0, 2), json!(0.0));
        assert_eq!(decimal(12_345_678_901_234_567_890, 2), json!("123456789012345678.9"));
        assert_eq!(decimal(9_007_199_254_740_993, 0), json!(9_007_199_254_740_993_i64));
        assert_eq!(decimal(90_071_992_547_409_931, 1), json!("9007199254740993.1"));
    }

    #[test]
    fn a_short_decimal_is_what_its_text_reads_as() {
        for scale in 1..=15 {
            for digits in [0, 1, -7, 10, 123_456_789, -999_999_999_999_999, 300_000_000_000_003] {
                let parsed = decimal_text(digits, scale).parse::<f64>().unwrap();
                assert_eq!(short_decimal(digits, scale), Some(parsed), "{digits} / 1e{scale}");
                assert_eq!(parsed.to_string(), decimal_text(digits, scale));
            }
        }
        assert_eq!(short_decimal(1, 16), None);
        assert_eq!(short_decimal(1_000_000_000_000_000, 2), None);
    }

    #[test]
    fn a_float_keeps_its_short_form() {
        assert_eq!(float(0.1), json!(0.1));
        assert_eq!(float(f32::NAN), Value::Null);
        assert_eq!(float(f32::INFINITY), Value::Null);
    }

    #[test]
    fn a_bignum_is_read_from_its_bytes() {
        assert_eq!(bignum(&[0x80, 0, 1, 42]), json!(42));
        assert_eq!(bignum(&[0x7f, 0xff, 0xfe, !42]), json!(-42));
        assert_eq!(bignum(&[]), Value::Null);
        let mut long = vec![0x80, 0, 17, 1];
        long.extend([0; 16]);
        assert_eq!(bignum(&long), json!("340282366920938463463374607431768211456"));
    }
}
