//! The rules of the house that the compiler does not know, as tests.
//!
//! Each rule is a function from a file's place and text to what is wrong with it, so that the
//! rule itself can be tested by showing it something bad.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the root, with `/`, and its text.
#[derive(Clone, Debug)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Lines with their numbers, without comments: those may speak of anything.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    /// The folder of the actor that the file belongs to.
    fn actor(&self) -> Option<&str> {
        self.path.strip_prefix("actors/")?.split_once('/').map(|(folder, _)| folder)
    }

    /// Whether the file is a test or a part for tests.
    fn is_test(&self) -> bool {
        let path = self.path.as_str();
        path.starts_with("tests/")
            || path.starts_with("actors/testkit/")
            || path.ends_with("/tests.rs")
            || path.contains("/tests/")
    }

    fn complain(&self, number: usize, what: &str) -> String {
        format!("{}:{number}: {what}", self.path)
    }
}

/// Whether `word` stands in `line` as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn complain_of_words(source: &Source, words: &[&str], why: &str) -> Vec<String> {
    let found = source.code().flat_map(|(number, line)| {
        let hits = words.iter().filter(move |word| has_word(line, word));
        hits.map(move |word| source.complain(number, &format!("'{word}' {why}")))
    });
    found.collect()
}

/// The vocabulary and the rules are plain: no mailboxes, no waiting.
fn plain_parts_stay_plain(source: &Source) -> Vec<String> {
    if source.path.starts_with("actors/model/") {
        return complain_of_words(source, &["actix", "tokio", "async"], "does not belong in the model");
    }
    if source.actor().is_some() && source.path.ends_with("/state.rs") {
        return complain_of_words(source, &["actix", "async"], "does not belong in the rules of an actor");
    }
    Vec::new()
}

/// The middle reaches files and networks only through ports.
fn the_middle_touches_nothing_outside(source: &Source) -> Vec<String> {
    if !source.path.starts_with("actors/") {
        return Vec::new();
    }
    complain_of_words(
        source,
        &["std::fs", "std::net", "tokio::fs", "tokio::net", "std::process"],
        "belongs in an adapter",
    )
}

/// Handlers know actors by their handles, and adapters not at all.
fn http_knows_no_adapter(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/http/") {
        return Vec::new();
    }
    complain_of_words(source, &["adapters"], "must not be known to handlers; the wiring brings them together")
}

/// A message that a full or dead mailbox swallows is lost without a word.
fn nothing_is_sent_blindly(source: &Source) -> Vec<String> {
    complain_of_words(source, &[concat!("do_", "send")], "ignores the mailbox's capacity; use send or try_send")
}

/// A reminder that nobody keeps is noise: it names the issue that it waits for.
fn reminders_name_an_issue(source: &Source) -> Vec<String> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let lines = source.text.lines().enumerate();
    let idle = lines.filter(|(_, line)| words.iter().any(|word| has_word(line, word)) && !names_issue(line));
    idle.map(|(index, _)| source.complain(index + 1, "a reminder must name an issue, as in #12")).collect()
}

fn names_issue(line: &str) -> bool {
    line.match_indices('#')
        .any(|(at, _)| line.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))
}

/// The rank of every actor, as the table in `actors/lib.rs` has it.
fn ranks(map: &str) -> BTreeMap<String, u8> {
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let ranks = rows.filter_map(|row| {
        let (name, rest) = row.split_once("`]")?;
        let rank = rest.split('|').nth(2)?.trim().parse().ok()?;
        Some((name.to_owned(), rank))
    });
    ranks.collect()
}

/// Asks go strictly down, so that no two actors can wait for each other.
fn actors_ask_only_below(source: &Source, ranks: &BTreeMap<String, u8>) -> Vec<String> {
    let Some((own, rank)) = source.actor().and_then(|actor| ranks.get_key_value(actor)) else { return Vec::new() };
    if source.is_test() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (number, line) in source.code() {
        let too_high = ranks.iter().filter(|(other, of_other)| *other != own && *of_other >= rank);
        for (other, of_other) in too_high.filter(|(other, _)| line.contains(&format!("crate::{other}"))) {
            let what = format!("{own} has rank {rank} and must not know {other} of rank {of_other}");
            wrong.push(source.complain(number, &what));
        }
    }
    wrong
}

/// Folders of `actors/` that are no actors.
const OTHER_FOLDERS: [&str; 7] =
    ["expression", "model", "ports", "scope_rules", "supervisor", "testkit", "user_mapping"];

/// The second actor's folder is already familiar.
fn actor_folders_have_one_shape(paths: &[String], ranks: &BTreeMap<String, u8>) -> Vec<String> {
    let mut folders: BTreeMap<&str, Vec<&str>> = ranks.keys().map(|actor| (actor.as_str(), Vec::new())).collect();
    for path in paths {
        if let Some((folder, file)) = path.strip_prefix("actors/").and_then(|path| path.split_once('/'))
            && !OTHER_FOLDERS.contains(&folder)
        {
            folders.entry(folder).or_default().push(file);
        }
    }
    let mut wrong = Vec::new();
    for (folder, files) in folders {
        if !ranks.contains_key(folder) {
            wrong.push(format!("actors/{folder} has no row in the table of actors/lib.rs"));
        }
        let missing =
            ["mod.rs", "messages.rs", "handle.rs", "tests.rs"].into_iter().filter(|file| !files.contains(file));
        wrong.extend(missing.map(|file| format!("actors/{folder}/{file} is missing")));
        if !files.contains(&"state.rs") && !files.contains(&"flow.rs") {
            wrong.push(format!("actors/{folder} has neither state.rs nor flow.rs"));
        }
    }
    wrong
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    ["src", "actors", "tests"].iter().for_each(|folder| rust_files(&root().join(folder), &mut files));
    files.sort();
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(root()).unwrap().components();
        let path: Vec<_> = path.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        Source { path: path.join("/"), text: fs::read_to_string(file).unwrap() }
    };
    files.iter().map(read).collect()
}

fn table() -> BTreeMap<String, u8> {
    ranks(&fs::read_to_string(root().join("actors/lib.rs")).unwrap())
}

fn assert_tidy(rule: impl Fn(&Source) -> Vec<String>) {
    let wrong: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Shows a rule something bad and something good.
fn assert_tells_apart(rule: impl Fn(&Source) -> Vec<String>, bad: &[(&str, &str)], good: &[(&str, &str)]) {
    for (path, text) in bad {
        assert_eq!(rule(&Source::new(path, text)).len(), 1, "{path}: {text}");
    }
    for (path, text) in good {
        assert_eq!(rule(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn the_house_is_found() {
    assert!(sources().len() > 80 && sources().iter().any(|source| source.path == "actors/sessions/state.rs"));
    assert_eq!(table().len(), 9, "{:?}", table());
}

#[test]
fn the_model_and_the_rules_are_plain() {
    assert_tidy(plain_parts_stay_plain);
    assert_tells_apart(
        plain_parts_stay_plain,
        &[
            ("actors/model/x.rs", "use tokio::sync::oneshot;"),
            ("actors/model/x.rs", "pub async fn x() {}"),
            ("actors/sessions/state.rs", "use actix::Message;"),
            ("actors/sessions/state.rs", "pub(super) async fn x() {}"),
        ],
        &[
            ("actors/model/x.rs", "// Nothing async here, and no tokio."),
            ("actors/audit_log/state.rs", "use tokio::sync::oneshot;"),
            ("actors/sessions/flow.rs", "pub(super) async fn x() {}"),
            ("actors/model/x.rs", "let asynchronous = 1;"),
        ],
    );
}

#[test]
fn the_middle_uses_no_files_and_no_network() {
    assert_tidy(the_middle_touches_nothing_outside);
    assert_tells_apart(
        the_middle_touches_nothing_outside,
        &[("actors/sessions/flow.rs", "use std::fs;"), ("actors/model/x.rs", "std::net::IpAddr::V4(x)")],
        &[("src/adapters/x.rs", "use std::fs;"), ("actors/x.rs", "use std::fmt;")],
    );
}

#[test]
fn handlers_know_no_adapters() {
    assert_tidy(http_knows_no_adapter);
    assert_tells_apart(
        http_knows_no_adapter,
        &[("src/http/server.rs", "use crate::adapters::duckdb::DuckDb;")],
        &[("src/wiring.rs", "use crate::adapters;"), ("src/http/server.rs", "// The adapters are elsewhere.")],
    );
}

#[test]
fn no_message_is_sent_blindly() {
    assert_tidy(nothing_is_sent_blindly);
    let bad = format!("address.{}(Tick);", concat!("do_", "send"));
    assert_tells_apart(
        nothing_is_sent_blindly,
        &[("actors/x.rs", &bad)],
        &[("actors/x.rs", "address.try_send(Tick);")],
    );
}

#[test]
fn every_reminder_names_an_issue() {
    assert_tidy(reminders_name_an_issue);
    let (idle, kept) =
        (format!("// {}: later", concat!("TO", "DO")), format!("// {}(#12): later", concat!("TO", "DO")));
    assert_tells_apart(reminders_name_an_issue, &[("src/x.rs", &idle)], &[("src/x.rs", &kept)]);
}

#[test]
fn actors_know_only_actors_of_a_lower_rank() {
    let ranks = table();
    let rule = |source: &Source| actors_ask_only_below(source, &ranks);
    assert_tidy(rule);
    assert_tells_apart(
        rule,
        &[
            ("actors/sessions/flow.rs", "use crate::authorization::Turns;"),
            ("actors/sessions/flow.rs", "use crate::policy::PolicyHandle;"),
            ("actors/audit_log/mod.rs", "use crate::sessions::SessionsHandle;"),
        ],
        &[
            ("actors/sessions/flow.rs", "use crate::audit_log::AuditLogHandle;"),
            ("actors/sessions/flow.rs", "use crate::sessions::SessionError;"),
            ("actors/supervisor.rs", "use crate::authorization::Turns;"),
        ],
    );
}

#[test]
fn every_actor_has_the_same_files_and_a_row_in_the_map() {
    let paths: Vec<String> = sources().into_iter().map(|source| source.path).collect();
    assert_eq!(actor_folders_have_one_shape(&paths, &table()), Vec::<String>::new());
    let files = |names: &[&str]| names.iter().map(|name| format!("actors/{name}")).collect::<Vec<_>>();
    let ranks = BTreeMap::from([("known".to_owned(), 1)]);
    let whole = files(&["known/mod.rs", "known/messages.rs", "known/handle.rs", "known/tests.rs", "known/flow.rs"]);
    assert_eq!(actor_folders_have_one_shape(&whole, &ranks), Vec::<String>::new());
    assert_eq!(actor_folders_have_one_shape(&whole[..4], &ranks), ["actors/known has neither state.rs nor flow.rs"]);
    assert_eq!(actor_folders_have_one_shape(&whole[1..], &ranks), ["actors/known/mod.rs is missing"]);
    assert_eq!(
        actor_folders_have_one_shape(&whole, &BTreeMap::new()),
        ["actors/known has no row in the table of actors/lib.rs"]
    );
    assert_eq!(actor_folders_have_one_shape(&[], &ranks).len(), 5, "a row without a folder");
}
