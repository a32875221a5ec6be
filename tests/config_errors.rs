//! Every kind of fault in a configuration, with the words that a person gets to read.

use crate::config_project::{PLAIN_SITE, Project};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A broken project of `cases/config_errors.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The site file; by default one that has nothing to say.
    site: Option<String>,
    /// The user configuration.
    user: Option<String>,
    /// `auth` of the user configuration, in the profile in force.
    auth: Option<String>,
    /// `tool` of a tool file.
    tool: Option<String>,
    /// Further files.
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    profile: Option<String>,
    errors: Vec<String>,
}

/// `text` with each line moved to the right.
fn indented(text: &str, width: usize) -> String {
    let margin = " ".repeat(width);
    let lines: Vec<String> = text.lines().map(|line| format!("{margin}{line}\n")).collect();
    lines.concat()
}

#[test]
fn every_fault_is_named_with_its_place() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("cases/config_errors.yaml")).unwrap();
    let mut differences = Vec::new();
    for case in cases {
        let mut project = Project::new(case.site.as_deref().unwrap_or(PLAIN_SITE));
        if let Some(auth) = &case.auth {
            let start = "mxcp: 1\nprojects:\n  my-project:\n    profiles:\n      default:\n        auth:\n";
            project = project.with_user(&(start.to_owned() + &indented(auth, 10)));
        }
        if let Some(user) = &case.user {
            project = project.with_user(user);
        }
        if let Some(tool) = &case.tool {
            project.write("tools/t.yml", &format!("tool:\n{}", indented(tool, 2)));
        }
        for (path, text) in &case.files {
            project.write(path, text);
        }
        project.env.extend(case.env);
        project.options.is_profile_required = case.profile.is_some();
        project.options.profile = case.profile;
        let errors = project.errors();
        if errors != case.errors {
            differences.push(format!("# {}\nexpected: {:#?}\nfound: {errors:#?}", case.name, case.errors));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_project_is_found_from_any_folder_below_it() {
    let mut project = Project::new(PLAIN_SITE);
    project.write("a/b/x", "");
    project.options.working_directory = project.root().join("a/b");
    assert_eq!(project.load().unwrap().root, project.root());
}

#[test]
fn without_a_site_file_there_is_no_project() {
    let mut project = Project::new(PLAIN_SITE);
    std::fs::remove_file(project.root().join("mxcp-site.yml")).unwrap();
    project.options.working_directory = project.root().to_owned();
    assert_eq!(project.errors(), ["No mxcp-site.yml found in current directory or parents"]);
}
