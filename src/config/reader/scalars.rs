//! Readers of single values.

use super::Field;
use crate::config::references::References;
use crate::config::suggestion;
use crate::config::tree::NodeValue;
use mxcp_actors::model::secret::Secret;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Ten years: what is longer is a slip, and could overflow when it is added to the time of day.
const DURATION_MAX: Duration = Duration::from_hours(10 * 365 * 24);

impl Field<'_> {
    /// A text, with its references replaced.
    pub(in crate::config) fn text(&self) -> Option<String> {
        let NodeValue::Text(text) = &self.node.value else { return self.expected("a string") };
        match &self.source.references {
            Some(references) if self.is_active => match references.resolve(text) {
                Ok(text) => Some(text),
                Err(message) => {
                    self.fault(message);
                    None
                }
            },
            _ => Some(text.clone()),
        }
    }

    /// A text that is not blank.
    pub(in crate::config) fn nonempty_text(&self) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.fault("must not be empty");
            return None;
        }
        Some(text)
    }

    /// A secret, which had better not stand in the file itself.
    pub(in crate::config) fn secret(&self) -> Option<Secret> {
        let secret = self.nonempty_text().map(Secret::new);
        if let NodeValue::Text(text) = &self.node.value
            && self.is_active
            && !References::is_in(text)
        {
            let place = format!("{}:{}: {}", self.source.file.display(), self.line, self.path);
            self.source.literal_secrets.borrow_mut().push(place);
        }
        secret
    }

    /// The absolute path of a file or folder.
    pub(in crate::config) fn path(&self) -> Option<PathBuf> {
        self.nonempty_text().map(|text| self.path_of(&text))
    }

    /// What `text` would mean as a path in this file.
    pub(in crate::config) fn path_of(&self, text: &str) -> PathBuf {
        self.source.references.as_ref().map_or_else(|| PathBuf::from(text), |references| references.path(text))
    }

    /// A text that needs no replacing, because nothing uses it.
    pub(in crate::config) fn unused_text(&self) {
        if !matches!(self.node.value, NodeValue::Text(_)) {
            self.expected::<()>("a string");
        }
    }

    /// The text of what should be another scalar, but is quoted or comes from a reference.
    ///
    /// Nothing where that reference is not to be followed.
    fn scalar_text(&self) -> Option<String> {
        if self.is_unknowable() { None } else { self.text() }
    }

    /// Whether the value is a reference that is not to be followed.
    fn is_unknowable(&self) -> bool {
        !self.is_active && matches!(&self.node.value, NodeValue::Text(text) if References::is_in(text))
    }

    /// True or false. The words of YAML 1.1 are understood too, as older files use them.
    pub(in crate::config) fn boolean(&self) -> Option<bool> {
        if let NodeValue::Boolean(value) = self.node.value {
            return Some(value);
        }
        let NodeValue::Text(_) = self.node.value else { return self.expected("true or false") };
        let text = self.scalar_text()?;
        let value = parse_boolean(&text);
        if value.is_none() {
            self.expected::<()>("true or false");
        }
        value
    }

    /// A whole number within `range`.
    pub(in crate::config) fn whole_number(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let number = match &self.node.value {
            NodeValue::Number(number) => number.as_u64(),
            NodeValue::Text(_) => match self.scalar_text()?.trim().parse() {
                Ok(number) => Some(number),
                Err(_) => return self.expected("a whole number"),
            },
            _ => return self.expected("a whole number"),
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        self.fault(match (*range.start(), *range.end()) {
            (start, end) if start == end => format!("expected the number {start}"),
            (start, u64::MAX) => format!("expected a whole number from {start} on"),
            (start, end) => format!("expected a whole number from {start} to {end}"),
        });
        None
    }

    /// Any number.
    pub(in crate::config) fn number(&self) -> Option<f64> {
        match &self.node.value {
            NodeValue::Number(number) => number.as_f64(),
            _ => self.expected("a number"),
        }
    }

    /// A span of time such as `30s` or `1h 30m`.
    pub(in crate::config) fn duration(&self) -> Option<Duration> {
        let NodeValue::Text(_) = self.node.value else { return self.expected("a duration such as 30s or 1h") };
        let text = self.scalar_text()?;
        let duration = humantime::parse_duration(text.trim()).ok();
        match duration {
            None => self.fault("expected a duration such as 30s, 10m, 1h or 30d"),
            Some(duration) if duration > DURATION_MAX => self.fault("must be at most 3650d"),
            Some(_) => (),
        }
        duration
    }

    /// One of a few words.
    pub(in crate::config) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() && !self.is_unknowable() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = suggestion::closest(&text, &words);
            let hint = hint.map(|word| format!("; did you mean '{word}'?")).unwrap_or_default();
            self.source.fault(self.line, &self.path, format!("expected one of {}{hint}", words.join(", ")));
        }
        chosen
    }

    /// A URL that is https, or http to this machine.
    pub(in crate::config) fn secure_url(&self) -> Option<Url> {
        let text = self.nonempty_text()?;
        let url = Url::parse(text.trim()).ok().filter(|url| match url.scheme() {
            "https" => url.has_host(),
            "http" => url.host_str().is_some_and(is_loopback),
            _ => false,
        });
        if url.is_none() {
            self.fault("expected an https URL, or an http URL of localhost, 127.0.0.1 or [::1]");
        }
        url
    }
}

/// What people write for true and false.
pub(in crate::config) fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Whether `host` is a name or an address of this machine.
pub(in crate::config) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
