//! Files that nobody would write on purpose: none makes the loader panic, and none makes it tell a
//! value of the user configuration.

use crate::config_project::{PLAIN_SITE, Project};
use proptest::prelude::*;
use serde_json::{Value, json};

const MARK: &str = "hunter2-the-secret";

/// What an error says when `text` is the file `name`; every variable is set to the mark.
fn errors_of(name: &str, text: &str) -> String {
    let mut project = Project::new(PLAIN_SITE);
    project.write(name, text);
    if name == "config.yml" {
        project = project.with_user(text);
    }
    let env = |variable: &str| match variable {
        variable if variable.starts_with("MXCP_") => project.env.get(variable).cloned(),
        _ => Some(MARK.to_owned()),
    };
    match mxcp::config::load(&project.options, &env) {
        Ok(configuration) => format!("{configuration:?}"),
        Err(errors) => errors.to_string(),
    }
}

/// Every value that comes of replacing one node of `value` by `replacement`.
fn replacements(value: &Value, replacement: &Value) -> Vec<Value> {
    let mut all = vec![replacement.clone()];
    match value {
        Value::Object(table) => {
            for (key, inner) in table {
                for inner in replacements(inner, replacement) {
                    let mut table = table.clone();
                    table.insert(key.clone(), inner);
                    all.push(Value::Object(table));
                }
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                for inner in replacements(inner, replacement) {
                    let mut items = items.clone();
                    items[index] = inner;
                    all.push(Value::Array(items));
                }
            }
        }
        _ => (),
    }
    all
}

#[test]
fn no_wrong_value_anywhere_shows_in_an_error() {
    let full: Value = serde_yaml::from_str(include_str!("../config-examples/full.yaml")).unwrap();
    for replacement in [
        json!(MARK),
        json!(format!("{MARK}: {MARK}\n- \"")),
        json!("vault://hunter2-the-secret"),
        json!("file://hunter2-the-secre"),
        json!([MARK]),
        json!([[MARK]]),
        json!({"client_id": [MARK]}),
    ] {
        let mutated = replacements(&full, &replacement);
        assert!(mutated.len() > 70);
        for user in mutated {
            let errors = errors_of("config.yml", &user.to_string());
            // What is harmless in a configuration is printed, for the one who debugs it.
            let is_error = !errors.starts_with("Configuration {");
            assert!(!is_error || !errors.contains(MARK), "{errors}\n{user:#}");
        }
    }
}

#[test]
fn no_wrong_value_anywhere_makes_it_panic() {
    for (name, text) in [
        ("mxcp-site.yml", include_str!("../config-examples/full-site.yaml")),
        ("config.yml", include_str!("../config-examples/full.yaml")),
        ("tools/t.yml", include_str!("../config-examples/full-tool.yaml")),
    ] {
        let full: Value = serde_yaml::from_str(text).unwrap();
        for replacement in [Value::Null, json!(u64::MAX), json!("\u{0}é$")] {
            for mutated in replacements(&full, &replacement) {
                assert!(!errors_of(name, &mutated.to_string()).is_empty());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,120}") {
        for name in ["mxcp-site.yml", "config.yml", "tools/t.yml"] {
            errors_of(name, &text);
        }
    }

    #[test]
    fn no_broken_copy_of_a_good_file_makes_it_panic(from in 0_usize..5000, length in 1_usize..40, text in "[-:{}\\[\\] \n*&a1\"']{0,4}") {
        for (name, good) in [
            ("config.yml", include_str!("../config-examples/full.yaml")),
            ("tools/t.yml", include_str!("../config-examples/full-tool.yaml")),
        ] {
            let mut letters: Vec<char> = good.chars().collect();
            let start = from % letters.len();
            let end = (start + length).min(letters.len());
            letters.splice(start..end, text.chars());
            errors_of(name, &letters.into_iter().collect::<String>());
        }
    }
}
