//! Records as a table on a terminal.

use super::render::{date_and_time, kind_name, printable};
use mxcp_actors::model::audit_event::{AuditRecord, OperationStatus, OperationType, PolicyDecision};
use std::io::IsTerminal as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The width of a terminal that does not tell it.
const WIDTH_DEFAULT: usize = 80;
/// What fits on any; more than a line is unreadable anyway.
const WIDTH_MIN: usize = 60;
const WIDTH_MAX: usize = 240;
/// Narrower tables do without the client.
const WIDTH_WITH_CLIENT: usize = 110;

/// And narrower ones without the year and the duration too, so that names can be told apart.
const WIDTH_WITH_ALL_TIMES: usize = 76;

const TIME_WIDTH: usize = 19;
/// What of a time and a date is left out in front.
const YEAR_WIDTH: usize = 5;
const OUTCOME_WIDTH: usize = 7;
const DURATION_WIDTH: usize = 7;

/// A terminal that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) width: usize,
    pub(super) has_colour: bool,
}

/// How the free space is shared.
struct Columns {
    what: usize,
    user: usize,
    client: Option<usize>,
}

impl Screen {
    /// The terminal that standard output is, if it is one.
    pub(super) fn of_stdout() -> Option<Self> {
        let out = std::io::stdout();
        out.is_terminal().then(|| {
            let told = rustix::termios::tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
            let width = if told == 0 { WIDTH_DEFAULT } else { told.clamp(WIDTH_MIN, WIDTH_MAX) };
            let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
            let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            Self { width, has_colour: !is_dumb && !is_unwanted }
        })
    }

    /// The names of the columns.
    pub(super) fn head(self) -> String {
        let columns = self.columns();
        let client = columns.client.map(|width| format!("  {}", fit("CLIENT", width)));
        let time = fit("TIME (UTC)", self.time_width());
        let duration = if self.is_narrow() { String::new() } else { format!("  {:>DURATION_WIDTH$}", "MS") };
        let line = format!(
            "{time}  {}{duration}  {}  {}{}",
            fit("OUTCOME", OUTCOME_WIDTH),
            fit("WHAT", columns.what),
            fit("WHO", columns.user),
            client.unwrap_or_default(),
        );
        self.paint("1", line.trim_end())
    }

    fn is_narrow(self) -> bool {
        self.width < WIDTH_WITH_ALL_TIMES
    }

    fn time_width(self) -> usize {
        if self.is_narrow() { TIME_WIDTH - YEAR_WIDTH } else { TIME_WIDTH }
    }

    fn columns(self) -> Columns {
        if self.is_narrow() {
            let free = self.width.saturating_sub(self.time_width() + OUTCOME_WIDTH + 3 * 2);
            let user = free / 3;
            return Columns { what: free - user, user, client: None };
        }
        let free = self.width.saturating_sub(TIME_WIDTH + OUTCOME_WIDTH + DURATION_WIDTH + 4 * 2);
        if self.width < WIDTH_WITH_CLIENT {
            let user = free * 2 / 5;
            return Columns { what: free - user, user, client: None };
        }
        let free = free - 2;
        let (user, client) = (free * 3 / 10, free * 3 / 10);
        Columns { what: free - user - client, user, client: Some(client) }
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.has_colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// One record.
pub(super) fn row(screen: Screen, record: &AuditRecord) -> String {
    let columns = screen.columns();
    let (outcome, colour) = outcome(record);
    let what = match record.operation_type {
        // Their names say it.
        OperationType::Auth => printable(&record.operation_name),
        kind => format!("{} {}", kind_name(kind), printable(&record.operation_name)),
    };
    let user = printable(record.user_id.as_deref().unwrap_or("-"));
    let time = date_and_time(&record.timestamp);
    let time = if screen.is_narrow() { time.get(YEAR_WIDTH..).unwrap_or(&time) } else { &time };
    let duration =
        if screen.is_narrow() { String::new() } else { format!("  {:>DURATION_WIDTH$}", record.duration_ms) };
    let mut line = format!(
        "{}  {}{duration}  {}  {}",
        screen.paint("2", &fit(time, screen.time_width())),
        screen.paint(colour, &fit(outcome, OUTCOME_WIDTH)),
        fit(&what, columns.what),
        fit(&user, columns.user),
    );
    if let Some(width) = columns.client {
        let client = record.client_id.as_ref().map_or("-", |id| id.as_str());
        line.push_str("  ");
        line.push_str(&fit(&printable(client), width));
    }
    line.truncate(line.trim_end().len());
    line
}

fn outcome(record: &AuditRecord) -> (&'static str, &'static str) {
    match (record.operation_status, record.policy_decision) {
        (_, Some(PolicyDecision::Deny)) => ("denied", "33"),
        (OperationStatus::Error, _) => ("failed", "31"),
        (OperationStatus::Success, Some(PolicyDecision::Warn)) => ("changed", "36"),
        (OperationStatus::Success, _) => ("ok", "32"),
    }
}

/// `text` in exactly `width` columns of a terminal, in which some characters take two.
fn fit(text: &str, width: usize) -> String {
    let own = text.width();
    if own <= width {
        return text.to_owned() + &" ".repeat(width - own);
    }
    let (mut cut, mut used) = (String::new(), 1);
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            used -= character.width().unwrap_or(0);
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut + &" ".repeat(width.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::model::audit_event::{AuditCaller, AuditEvent};
    use mxcp_actors::model::timestamp::Timestamp;

    fn record(name: &str) -> AuditRecord {
        let caller = AuditCaller { user_id: Some("local:ada".to_owned()), ..AuditCaller::default() };
        let event = AuditEvent::auth(name, OperationStatus::Error, caller);
        AuditRecord::of(event, 1, Timestamp::from_secs(1_795_428_000), String::new())
    }

    #[test]
    fn columns_stand_below_their_names_and_fit_the_terminal() {
        let screen = Screen { width: 80, has_colour: false };
        assert_eq!(screen.head(), "TIME (UTC)           OUTCOME       MS  WHAT                      WHO");
        assert_eq!(
            row(screen, &record("auth.login_failed")),
            "2026-11-23 10:00:00  failed         0  auth.login_failed         local:ada"
        );
        let narrow = Screen { width: 60, has_colour: false };
        assert_eq!(narrow.head(), "TIME (UTC)      OUTCOME  WHAT                    WHO");
        assert_eq!(
            row(narrow, &record("auth.login_failed")),
            "11-23 10:00:00  failed   auth.login_failed       local:ada"
        );
        for width in [60, 75, 76, 80, 109, 110, 200] {
            for name in ["x".repeat(300), "図".repeat(300)] {
                assert!(row(Screen { width, has_colour: false }, &record(&name)).width() <= width, "{width}");
            }
        }
    }

    #[test]
    fn a_name_is_cut_where_a_terminal_would_break_it() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("図図", 3), "図…");
        assert_eq!(fit("図図図", 4), "図… ");
    }

    #[test]
    fn colour_tells_how_it_ended() {
        let mut denied = record("x");
        denied.policy_decision = Some(PolicyDecision::Deny);
        assert!(row(Screen { width: 80, has_colour: true }, &denied).contains("\u{1b}[33mdenied \u{1b}[0m"));
    }
}
