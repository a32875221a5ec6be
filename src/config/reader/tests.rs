use super::*;
use crate::config::references::References;
use crate::config::tree;
use std::path::Path;

/// The faults of reading `text` by `read`.
fn faults(text: &str, read: impl FnOnce(&mut Table<'_, '_>)) -> Vec<String> {
    let node = tree::parse(text).unwrap();
    let env = |name: &str| (name == "PORT").then(|| "8001".to_owned());
    let references = References { env: &env, root: Path::new("/") };
    let source = Source::new(Path::new("x.yml"), Some(references));
    Field::root(&node, &source).visit(read);
    source.finish().faults.iter().map(ToString::to_string).collect()
}

#[test]
fn all_faults_are_reported_by_line() {
    let found = faults("b: 1\nport: x\nportt: 1\nlist:\n  - a\n  - 2\n", |table| {
        table.get("list").unwrap().texts();
        table.get("port").unwrap().whole_number(1..=5);
        table.get("b").unwrap().text();
        table.require("c");
    });
    assert_eq!(
        found,
        [
            "x.yml:1: b: expected a string, found a number",
            "x.yml:1: c: required key is missing",
            "x.yml:2: port: expected a whole number, found a string",
            "x.yml:3: portt: unknown key; did you mean 'port'?",
            "x.yml:6: list[1]: expected a string, found a number",
        ]
    );
}

#[test]
fn a_number_or_a_boolean_may_come_from_a_variable() {
    let found = faults("a: ${PORT}\nb: 'yes'\nc: \"12\"\nd: 1\ne: 8002\n", |table| {
        assert_eq!(table.get("a").unwrap().whole_number(0..=65535), Some(8001));
        assert_eq!(table.get("b").unwrap().boolean(), Some(true));
        assert_eq!(table.get("c").unwrap().whole_number(0..=65535), Some(12));
        assert_eq!(table.get("d").unwrap().boolean(), None);
        assert_eq!(table.get("e").unwrap().whole_number(0..=5), None);
    });
    assert_eq!(
        found,
        ["x.yml:4: d: expected true or false, found a number", "x.yml:5: e: expected a whole number from 0 to 5"]
    );
}

#[test]
fn a_word_that_is_nearly_right_is_suggested() {
    let found = faults("a: githib\nb: zzz\n", |table| {
        table.get("a").unwrap().choice(&[("github", 1), ("oidc", 2)]);
        table.get("b").unwrap().choice(&[("github", 1), ("oidc", 2)]);
    });
    assert_eq!(
        found,
        [
            "x.yml:1: a: expected one of github, oidc; did you mean 'github'?",
            "x.yml:2: b: expected one of github, oidc"
        ]
    );
}

#[test]
fn only_the_shape_of_an_inactive_part_matters() {
    let found = faults("p:\n  a: ${NOPE}\n  n: ${NOPE}\n  t: 5 parsecs\n  x: 1\n", |table| {
        table.get("p").unwrap().inactive().visit(|table| {
            table.get("a").unwrap().text();
            table.get("n").unwrap().whole_number(1..=5);
            table.get("t").unwrap().duration();
        });
    });
    assert_eq!(found, ["x.yml:5: p.x: unknown key; the keys here are a, n, t"]);
}

#[test]
fn a_url_over_the_network_must_be_https() {
    let found =
        faults("a: http://example.com/x\nb: http://localhost:1/x\nc: https://example.com\nd: ftp://x\n", |table| {
            assert!(table.get("a").unwrap().secure_url().is_none());
            assert!(table.get("b").unwrap().secure_url().is_some());
            assert!(table.get("c").unwrap().secure_url().is_some());
            assert!(table.get("d").unwrap().secure_url().is_none());
        });
    assert_eq!(found.len(), 2);
}
