//! References in the user configuration's texts: `${NAME}`, `file://path`, and `~` in paths.

use super::files;
use std::path::{Path, PathBuf};

/// Looks up a variable of the environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// References to secret stores that the incumbent knows and this version does not.
const STORES: [&str; 2] = ["vault://", "op://"];

/// Replaces references by what they stand for.
#[derive(Clone, Copy)]
pub(super) struct References<'a> {
    /// The environment.
    pub(super) env: Environment<'a>,
    /// What relative paths are relative to: the project's root.
    pub(super) root: &'a Path,
}

impl References<'_> {
    /// Whether `text` is more than it says.
    pub(super) fn is_in(text: &str) -> bool {
        text.starts_with("file://")
            || STORES.iter().any(|store| text.starts_with(store))
            || Pieces(text).any(|piece| matches!(piece, Piece::Variable(_)))
    }

    /// The text that `text` stands for, or what is wrong with the reference.
    ///
    /// What kind of reference it is follows from `text` alone, never from the value of a
    /// variable, and what a variable or a file holds is taken as it is.
    pub(super) fn resolve(&self, text: &str) -> Result<String, String> {
        if let Some(store) = STORES.iter().find(|store| text.starts_with(**store)) {
            return Err(format!(
                "{store} references are not supported yet by this version; use ${{NAME}} for an environment variable or file:// for a file"
            ));
        }
        let replaced = self.replace_variables(text)?;
        match replaced.strip_prefix("file://").filter(|_| text.starts_with("file://")) {
            Some(path) => {
                let path = self.path(path);
                let content = files::read_text(&path).map_err(|why| format!("the file that it refers to {why}"))?;
                Ok(content.trim().to_owned())
            }
            None => Ok(replaced),
        }
    }

    /// Replaces every `${NAME}`.
    fn replace_variables(&self, text: &str) -> Result<String, String> {
        let mut replaced = String::with_capacity(text.len());
        for piece in Pieces(text) {
            match piece {
                Piece::Text(text) => replaced.push_str(text),
                Piece::Variable(name) => {
                    replaced += &(self.env)(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
                }
            }
        }
        Ok(replaced)
    }

    /// The absolute path that `text` means: `~` is the home folder, and the project's root is
    /// where relative paths begin.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        expand_path(text, self.root, self.env)
    }
}

/// See [`References::path`].
pub(super) fn expand_path(text: &str, base: &Path, env: Environment<'_>) -> PathBuf {
    let below_home = if text == "~" { Some("") } else { text.strip_prefix("~/") };
    match below_home.and_then(|rest| Some((env("HOME").filter(|home| !home.is_empty())?, rest))) {
        // A join with nothing would leave a slash at the end.
        Some((home, "")) => base.join(home),
        Some((home, rest)) => base.join(home).join(rest),
        None => base.join(text),
    }
}

/// A part of a text.
enum Piece<'a> {
    /// Stands for itself.
    Text(&'a str),
    /// Stands for the value of the variable of that name.
    Variable(&'a str),
}

/// The parts of a text in order; what is not well formed stands for itself.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        if let Some((name, rest)) = variable_at_start(text) {
            self.0 = rest;
            return Some(Piece::Variable(name));
        }
        let end = text
            .match_indices("${")
            .map(|(at, _)| at)
            .find(|at| text.get(*at..).is_some_and(|tail| variable_at_start(tail).is_some()))
            .unwrap_or(text.len());
        let (piece, rest) = text.split_at(end);
        self.0 = rest;
        Some(Piece::Text(piece))
    }
}

/// The variable that `text` begins with, and the rest.
fn variable_at_start(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix("${")?.split_once('}')?;
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("alpha".into()),
            "TRICK" => Some("file:///etc/hostname ${A}".into()),
            "HOME" => Some("/home/ada".into()),
            _ => None,
        }
    }

    fn resolve(text: &str) -> Result<String, String> {
        References { env: &env, root: Path::new("/project") }.resolve(text)
    }

    #[test]
    fn every_variable_of_a_text_is_replaced() {
        assert_eq!(resolve("x${A}y${A}").unwrap(), "xalphayalpha");
        assert_eq!(resolve("${A").unwrap(), "${A");
        assert_eq!(resolve("$A ${} ${1A} ${A b} $${A}").unwrap(), "$A ${} ${1A} ${A b} $alpha");
        assert_eq!(resolve("${ ${A}").unwrap(), "${ alpha");
        assert_eq!(resolve("pre ${NOPE}").unwrap_err(), "environment variable NOPE is not set");
    }

    #[test]
    fn a_value_is_not_a_reference_itself() {
        assert_eq!(resolve("${TRICK}").unwrap(), "file:///etc/hostname ${A}");
    }

    #[test]
    fn a_file_reference_is_the_files_trimmed_text() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "  hunter2\n").unwrap();
        let references = References { env: &env, root: folder.path() };
        assert_eq!(references.resolve("file://secret").unwrap(), "hunter2");
        assert_eq!(references.resolve(&format!("file://{}/secret", folder.path().display())).unwrap(), "hunter2");
        assert_eq!(references.resolve("file://nope").unwrap_err(), "the file that it refers to does not exist");
    }

    #[test]
    fn secret_stores_are_named_as_not_supported() {
        for text in ["vault://secret/oauth#github_secret", "op://vault/item/field"] {
            assert!(resolve(text).unwrap_err().contains("not supported yet"), "{text}");
            assert!(References::is_in(text));
        }
    }

    #[test]
    fn a_tilde_is_the_home_folder_only_at_the_start() {
        let path = |text: &str| expand_path(text, Path::new("/project"), &env);
        assert_eq!(path("~/a/b"), Path::new("/home/ada/a/b"));
        assert_eq!(path("~"), Path::new("/home/ada"));
        assert_eq!(path("a/~/b"), Path::new("/project/a/~/b"));
        assert_eq!(path("~bob/x"), Path::new("/project/~bob/x"));
        assert_eq!(path("/x"), Path::new("/x"));
    }

    proptest! {
        #[test]
        fn pieces_put_together_are_the_text(text in "[${}A-C_1 é]{0,40}") {
            let whole: String = Pieces(&text)
                .map(|piece| match piece {
                    Piece::Text(text) => text.to_owned(),
                    Piece::Variable(name) => format!("${{{name}}}"),
                })
                .collect();
            prop_assert_eq!(whole, text);
        }
    }
}
