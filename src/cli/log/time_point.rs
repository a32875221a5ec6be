//! Points in time as people type them: so long ago, or a date and time here or anywhere.

use chrono::{Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use mxcp_actors::model::timestamp::Timestamp;

/// How dates with a time are written, with `T` or a space between.
const FORMATS: [&str; 4] = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];

/// Which end of a time span a text says. Of a time that happens twice, when clocks are set back,
/// the span includes both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Its begin.
    Since,
    /// Its end, which belongs to it.
    Until,
}

impl Bound {
    /// Reads `10s`, `5m`, `2h` or `1d` before `now`, an RFC 3339 time, or a date with or without a
    /// time in `zone`; `None` when it is something else. A date alone is its whole day.
    pub(super) fn parse(self, text: &str, now: Timestamp, zone: &impl TimeZone) -> Option<Timestamp> {
        ago(text, now).or_else(|| Timestamp::parse_rfc3339(text)).or_else(|| {
            if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                return self.of_day(date, zone);
            }
            let time = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
            self.of_local(time, zone)
        })
    }

    fn of_day(self, date: NaiveDate, zone: &impl TimeZone) -> Option<Timestamp> {
        match self {
            Self::Since => self.of_local(date.and_time(NaiveTime::MIN), zone),
            Self::Until => {
                let end = Self::Since.of_local(date.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN), zone)?;
                Some(Timestamp::from_micros(end.as_micros() - 1))
            }
        }
    }

    fn of_local(self, time: NaiveDateTime, zone: &impl TimeZone) -> Option<Timestamp> {
        let at = match (zone.from_local_datetime(&time), self) {
            (MappedLocalTime::Single(at), _) => at.timestamp_micros(),
            // Which of the two comes first is not the same for every kind of zone.
            (MappedLocalTime::Ambiguous(one, other), Self::Since) => {
                one.timestamp_micros().min(other.timestamp_micros())
            }
            (MappedLocalTime::Ambiguous(one, other), Self::Until) => {
                one.timestamp_micros().max(other.timestamp_micros())
            }
            // Clocks are set forward over it: it is what a clock shows that was not set.
            (MappedLocalTime::None, _) => {
                let before = TimeDelta::hours(3);
                let earlier = zone.from_local_datetime(&(time - before)).earliest()?;
                (earlier + before).timestamp_micros()
            }
        };
        Some(Timestamp::from_micros(at))
    }
}

/// The point that lies a number of seconds, minutes, hours or days before `now`. A day has 24
/// hours, whatever clocks do in it.
fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    let seconds: i64 = match unit.to_ascii_lowercase() {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let span = number.parse::<i64>().ok()?.saturating_mul(seconds).saturating_mul(1_000_000);
    Some(Timestamp::from_micros(now.as_micros().saturating_sub(span)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use chrono_tz::Europe::Berlin;

    fn at(bound: Bound, text: &str) -> String {
        bound.parse(text, Timestamp::from_secs(0), &Berlin).map_or_else(String::new, Timestamp::to_rfc3339)
    }

    #[test]
    fn every_unit_goes_back_its_own_length() {
        let now = Timestamp::from_secs(1_000_000);
        for (text, seconds) in [("10s", 10), ("5m", 300), ("2h", 7_200), ("1d", 86_400), ("24H", 86_400), ("0s", 0)] {
            let point = Bound::Since.parse(text, now, &Utc).unwrap();
            assert_eq!(point, Timestamp::from_secs(1_000_000 - seconds), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "1w", "h", "10", "-1h", "+1h", "1.5h", " 1h", "1h ", "1hh", "٣h", "1ü", "99999999999999999999s"]
        {
            assert_eq!(Bound::Since.parse(text, Timestamp::from_secs(0), &Utc), None, "{text}");
        }
        for text in ["2026-13-01", "2026-02-30", "2026-11-23 24:00", "12:00", "2026-11-23 12", "yesterday"] {
            assert_eq!(Bound::Since.parse(text, Timestamp::from_secs(0), &Utc), None, "{text}");
        }
    }

    #[test]
    fn more_than_there_is_time_reaches_the_beginning() {
        let begin = ago("9223372036854775807d", Timestamp::from_secs(0)).unwrap();
        assert!(begin < Timestamp::from_secs(-1_000_000_000_000));
    }

    #[test]
    fn a_time_with_an_offset_is_the_same_everywhere_and_one_without_is_local() {
        assert_eq!(at(Bound::Since, "2026-07-01T12:00:00Z"), "2026-07-01T12:00:00Z");
        assert_eq!(at(Bound::Since, "2026-07-01T12:00:00-05:00"), "2026-07-01T17:00:00Z");
        assert_eq!(at(Bound::Since, "2026-07-01T12:00:00"), "2026-07-01T10:00:00Z", "summer");
        assert_eq!(at(Bound::Until, "2026-12-01 12:00"), "2026-12-01T11:00:00Z", "winter");
        assert_eq!(at(Bound::Since, "2026-12-01 12:00:00.5"), "2026-12-01T11:00:00.5Z");
    }

    #[test]
    fn a_date_is_its_whole_day_also_when_that_has_not_24_hours() {
        assert_eq!(at(Bound::Since, "2026-03-29"), "2026-03-28T23:00:00Z");
        assert_eq!(at(Bound::Until, "2026-03-29"), "2026-03-29T21:59:59.999999Z");
    }

    #[test]
    fn an_hour_that_happens_twice_is_in_the_span_twice() {
        assert_eq!(at(Bound::Since, "2026-10-25 02:30"), "2026-10-25T00:30:00Z");
        assert_eq!(at(Bound::Until, "2026-10-25 02:30"), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn an_hour_that_does_not_happen_is_read_as_on_a_clock_that_was_not_set() {
        assert_eq!(at(Bound::Since, "2026-03-29 02:30"), "2026-03-29T01:30:00Z");
    }
}
