//! What an operator would want checked before a server goes live: whether the providers can be
//! reached, whether addresses fit together, whether files are private, and the production
//! checklist.
//!
//! Looks and changes nothing. It needs neither the database nor the stores, so it can run beside
//! the daemon. What it can only advise is a warning; an error is what will not work or lets the
//! wrong people in.

mod addresses;
mod checklist;
mod files;
mod providers;
mod tools;

use crate::adapters::http_client::{HttpClient, HttpClientSettings};
use crate::config::Configuration;
use serde::Serialize;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Could not be looked at, or does not apply.
    Skipped,
    /// Deserves a look.
    Warning,
    /// Does not work, or is not safe.
    Error,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check, for programs.
    pub check: &'static str,
    /// How it went.
    pub status: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it; nothing when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Verdict::Ok, message: message.into(), advice: None }
    }

    pub(crate) fn skipped(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Verdict::Skipped, message: message.into(), advice: None }
    }

    pub(crate) fn warning(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, status: Verdict::Warning, message: message.into(), advice: Some(advice.into()) }
    }

    pub(crate) fn error(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, status: Verdict::Error, message: message.into(), advice: Some(advice.into()) }
    }
}

/// Checks the project and what stands around it.
pub async fn examine(configuration: &Configuration) -> Vec<Finding> {
    let mut findings = vec![read_configuration(configuration)];
    findings.extend(
        configuration
            .warnings
            .iter()
            .map(|warning| Finding::warning("configuration", warning.clone(), "see the place that is named")),
    );
    match HttpClient::new(&HttpClientSettings::default()) {
        Ok(http) => {
            findings.extend(addresses::check(configuration, &http).await);
            findings.extend(providers::check(configuration, &http).await);
        }
        Err(error) => findings.push(Finding::error(
            "certificates",
            error.to_string(),
            "install ca-certificates, or name a file of trusted certificates in SSL_CERT_FILE",
        )),
    }
    findings.extend(tools::check(configuration).await);
    findings.extend(files::check(configuration));
    findings.extend(checklist::check(configuration));
    findings
}

fn read_configuration(configuration: &Configuration) -> Finding {
    let user_file =
        configuration.user_file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let (project, profile) = (&configuration.project, &configuration.profile);
    Finding::ok("configuration", format!("project {project}, profile {profile}, user configuration {user_file}"))
}
