//! Spans of time as people type them.

use mxcp_actors::model::timestamp::Timestamp;

/// A number of seconds, minutes, hours or days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeSpan {
    seconds: i64,
}

impl TimeSpan {
    /// Reads `10s`, `5m`, `2h` or `1d`; `None` when it is something else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().next_back()?;
        let number = text.strip_suffix(unit)?;
        let seconds = match unit.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return None,
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        number.parse::<i64>().ok().map(|number| Self { seconds: number.saturating_mul(seconds) })
    }

    /// The point in time that lies this span before `now`.
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(now.as_micros().saturating_sub(self.seconds.saturating_mul(1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_goes_back_its_own_length() {
        let now = Timestamp::from_secs(1_000_000);
        for (text, seconds) in [("10s", 10), ("5m", 300), ("2h", 7_200), ("1d", 86_400), ("24H", 86_400), ("0s", 0)] {
            assert_eq!(TimeSpan::parse(text).unwrap().before(now), Timestamp::from_secs(1_000_000 - seconds), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "1w", "h", "10", "-1h", "+1h", "1.5h", " 1h", "1h ", "1hh", "٣h", "1ü", "99999999999999999999s"]
        {
            assert_eq!(TimeSpan::parse(text), None, "{text}");
        }
    }

    #[test]
    fn more_than_there_is_time_reaches_the_beginning() {
        let begin = TimeSpan::parse("9223372036854775807d").unwrap().before(Timestamp::from_secs(0));
        assert!(begin < Timestamp::from_secs(-1_000_000_000_000));
    }
}
