//! Dates and times as ISO 8601 text.
//!
//! Written by hand because DuckDB's range is wider than that of calendar crates (years to 294247
//! and before our era), and because it knows an infinite future and past.

use super::capi::TimeUnit;
use std::fmt::Write as _;

const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// `2024-01-02`; years beyond four digits have a sign, as ISO 8601 has it.
pub(super) fn date(days: i32) -> String {
    infinite(days == i32::MAX, days == -i32::MAX).unwrap_or_else(|| civil(days.into()))
}

/// `03:04:05.6`.
pub(super) fn time(unit: TimeUnit, value: i64) -> String {
    let (seconds, fraction) = split(unit, value);
    clock(seconds, fraction, unit)
}

/// `03:04:05.6+02:00`.
pub(super) fn time_tz(micros: i64, offset_seconds: i32) -> String {
    let sign = if offset_seconds < 0 { '-' } else { '+' };
    let offset = offset_seconds.unsigned_abs();
    let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
    let time = time(TimeUnit::Micros, micros);
    if seconds == 0 {
        format!("{time}{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{time}{sign}{hours:02}:{minutes:02}:{seconds:02}")
    }
}

/// `2024-01-02T03:04:05.6`.
pub(super) fn timestamp(unit: TimeUnit, value: i64) -> String {
    infinite(value == i64::MAX, value == -i64::MAX).unwrap_or_else(|| finite_timestamp(unit, value))
}

/// `2024-01-02T03:04:05.6Z`.
pub(super) fn timestamp_tz(unit: TimeUnit, value: i64) -> String {
    infinite(value == i64::MAX, value == -i64::MAX).unwrap_or_else(|| finite_timestamp(unit, value) + "Z")
}

/// `P1Y2M3DT4H5M6.7S`; each part has its own sign, since DuckDB keeps months, days and time apart.
pub(super) fn interval(months: i32, days: i32, micros: i64) -> String {
    let mut text = "P".to_owned();
    for (value, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if value != 0 {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "{value}{unit}");
        }
    }
    if micros != 0 {
        text.push_str(&interval_time(micros));
    }
    if text.len() == 1 { "PT0S".to_owned() } else { text }
}

fn interval_time(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let magnitude = micros.unsigned_abs();
    let seconds = magnitude / MICROS_PER_SECOND;
    let fraction = fraction_text(magnitude % MICROS_PER_SECOND, TimeUnit::Micros);
    let mut text = "T".to_owned();
    for (value, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M')] {
        if value != 0 {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "{sign}{value}{unit}");
        }
    }
    if !seconds.is_multiple_of(60) || !fraction.is_empty() {
        let _infallible = write!(text, "{sign}{}{fraction}S", seconds % 60);
    }
    text
}

fn infinite(is_future: bool, is_past: bool) -> Option<String> {
    match (is_future, is_past) {
        (true, _) => Some("infinity".to_owned()),
        (_, true) => Some("-infinity".to_owned()),
        _ => None,
    }
}

fn finite_timestamp(unit: TimeUnit, value: i64) -> String {
    let (seconds, fraction) = split(unit, value);
    let date = civil(seconds.div_euclid(SECONDS_PER_DAY));
    format!("{date}T{}", clock(seconds.rem_euclid(SECONDS_PER_DAY), fraction, unit))
}

/// Whole seconds, rounded down, and the rest in the unit.
fn split(unit: TimeUnit, value: i64) -> (i64, u64) {
    let per_second = per_second(unit);
    (value.div_euclid(per_second), value.rem_euclid(per_second).unsigned_abs())
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Seconds => 1,
        TimeUnit::Millis => 1_000,
        TimeUnit::Micros => 1_000_000,
        TimeUnit::Nanos => 1_000_000_000,
    }
}

fn clock(seconds: i64, fraction: u64, unit: TimeUnit) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}{}", seconds % 60, fraction_text(fraction, unit))
}

/// A point and the digits, without zeroes at the end; nothing for a whole second.
fn fraction_text(fraction: u64, unit: TimeUnit) -> String {
    if fraction == 0 {
        return String::new();
    }
    let digits = match unit {
        TimeUnit::Seconds => 0,
        TimeUnit::Millis => 3,
        TimeUnit::Micros => 6,
        TimeUnit::Nanos => 9,
    };
    let text = format!(".{fraction:0digits$}");
    text.trim_end_matches('0').to_owned()
}

/// The date of a count of days since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years that begin on 1 March, so that the leap day comes last.
fn civil(days: i64) -> String {
    const DAYS_PER_ERA: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let sign = match year {
        0..=9999 => "",
        10_000.. => "+",
        _ => "-",
    };
    format!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_iso_8601_over_the_whole_range() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-719_528), "0000-01-01");
        assert_eq!(date(-719_529), "-0001-12-31");
        assert_eq!(date(2_932_897), "+10000-01-01");
        assert_eq!(date(i32::MAX), "infinity");
        assert_eq!(date(-i32::MAX), "-infinity");
        assert!(date(i32::MIN).starts_with('-'));
    }

    #[test]
    fn a_fraction_has_as_many_digits_as_it_needs() {
        assert_eq!(timestamp(TimeUnit::Micros, 1_500_000), "1970-01-01T00:00:01.5");
        assert_eq!(timestamp(TimeUnit::Nanos, -1), "1969-12-31T23:59:59.999999999");
        assert_eq!(timestamp(TimeUnit::Seconds, 60), "1970-01-01T00:01:00");
        assert_eq!(timestamp(TimeUnit::Millis, 10), "1970-01-01T00:00:00.01");
        assert_eq!(timestamp_tz(TimeUnit::Micros, 0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(TimeUnit::Micros, i64::MAX), "infinity");
        assert_eq!(timestamp_tz(TimeUnit::Micros, -i64::MAX), "-infinity");
        assert!(timestamp(TimeUnit::Seconds, i64::MIN).starts_with('-'));
    }

    #[test]
    fn a_time_may_be_the_end_of_the_day() {
        assert_eq!(time(TimeUnit::Micros, 86_400_000_000), "24:00:00");
        assert_eq!(time_tz(3_723_000_001, 7_200), "01:02:03.000001+02:00");
        assert_eq!(time_tz(0, -19_801), "00:00:00-05:30:01");
    }

    #[test]
    fn an_interval_is_an_iso_8601_duration() {
        assert_eq!(interval(14, 3, 14_706_700_000), "P1Y2M3DT4H5M6.7S");
        assert_eq!(interval(0, 0, 0), "PT0S");
        assert_eq!(interval(-1, 2, -1_000_000), "P-1M2DT-1S");
        assert_eq!(interval(0, 0, -500_000), "PT-0.5S");
        assert_eq!(interval(0, 0, i64::MIN), "PT-2562047788H-54.775808S");
    }
}
