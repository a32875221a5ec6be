//! An explanation as text and as JSON.

use mxcp_actors::expression::{Explanation, Part};
use mxcp_actors::model::policy::{PolicyAction, Verdict};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::policy::{PolicyReport, RuleReport};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What is shown of a value.
const VALUE_CHARS_MAX: usize = 120;

/// What a caller's token must allow, which is looked at before any rule.
pub(super) struct NeededScopes {
    pub(super) required: ScopeSet,
    /// What of it a login of the user could give; `None` when nobody was named.
    pub(super) granted: Option<ScopeSet>,
}

impl NeededScopes {
    fn missing(&self) -> Vec<&str> {
        let granted = self.granted.as_ref();
        self.required.iter().filter(|scope| granted.is_some_and(|granted| !granted.contains(scope))).collect()
    }

    fn json(&self) -> Value {
        let list = |scopes: &ScopeSet| scopes.iter().map(Value::from).collect::<Vec<_>>();
        json!({
            "required": list(&self.required),
            "granted": self.granted.as_ref().map(list),
            "missing": self.granted.as_ref().map(|_| self.missing()),
        })
    }

    fn tell(&self, text: &mut String) {
        let missing = self.missing();
        // Writing to a String cannot fail.
        let _infallible = match (&self.granted, self.required.is_empty()) {
            (_, true) => writeln!(text, "Needs no scopes\n"),
            (None, _) => writeln!(
                text,
                "Needs the scopes {}; say with --user-context who calls to see which of them they may have\n",
                self.required
            ),
            (Some(_), _) if missing.is_empty() => {
                writeln!(text, "Needs the scopes {}\n  ✓ this user may have them\n", self.required)
            }
            (Some(_), _) => writeln!(
                text,
                "Needs the scopes {}\n  ✗ nothing in auth.authorization.grants gives this user {}, so a call is \
                 refused before any rule is looked at\n",
                self.required,
                missing.join(" ")
            ),
        };
    }
}

/// What the rules made of a call.
pub(super) struct Explained<'a> {
    pub(super) endpoint: &'a str,
    pub(super) scopes: NeededScopes,
    pub(super) input: PolicyReport,
    /// What they made of the given result, and what they left of it.
    pub(super) output: Option<(PolicyReport, Value)>,
    /// How many rules there are on output.
    pub(super) output_rules: usize,
}

impl Explained<'_> {
    /// The verdict that decided.
    fn verdict(&self) -> &Verdict {
        match &self.output {
            Some((output, _)) => &output.verdict,
            None => &self.input.verdict,
        }
    }

    /// As the audit log has it; nothing when there was no rule.
    fn decision(&self) -> Option<&'static str> {
        let verdict = self.verdict();
        if verdict.denial.is_some() {
            Some("deny")
        } else if verdict.modified_by.is_some() {
            Some("warn")
        } else {
            let has_rules = !self.input.rules.is_empty() || self.output_rules > 0;
            has_rules.then_some("allow")
        }
    }

    pub(super) fn json(&self) -> Value {
        let denial = self.verdict().denial.as_ref();
        let rules = |report: &PolicyReport| report.rules.iter().map(rule_json).collect::<Vec<_>>();
        json!({
            "endpoint": self.endpoint,
            "scopes": self.scopes.json(),
            "policy_decision": self.decision(),
            "reason": denial.map(|denial| &denial.reason),
            "policy_reason": denial.map(|denial| denial.detail.as_ref().unwrap_or(&denial.reason)),
            "input": rules(&self.input),
            "output": self.output.as_ref().map(|(report, _)| rules(report)),
            "result": self.output.as_ref().map(|(_, response)| response),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.scopes.tell(&mut text);
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "Before the call of {}", self.endpoint);
        tell_rules(&mut text, &self.input);
        match &self.output {
            Some((output, response)) => {
                text.push_str("\nOn the given result\n");
                tell_rules(&mut text, output);
                let _infallible = writeln!(text, "\n  leaves: {}", shortened(&response.to_string()));
            }
            None if self.input.verdict.denial.is_some() => text.push_str("\nThe query does not run.\n"),
            None if self.output_rules > 0 => {
                let count = self.output_rules;
                let rules = if count == 1 { "rule" } else { "rules" };
                let _infallible = writeln!(
                    text,
                    "\n{count} {rules} on output not judged; give what the query would give with --result"
                );
            }
            None => {}
        }
        let _infallible = match &self.verdict().denial {
            Some(denial) => write!(text, "\n✗ denied; the caller is told: {}", denial.reason),
            None if self.verdict().modified_by.is_some() => write!(text, "\n! allowed, with a changed result"),
            None => write!(text, "\n✓ allowed"),
        };
        text
    }
}

fn tell_rules(text: &mut String, report: &PolicyReport) {
    if report.rules.is_empty() {
        text.push_str("  no rules\n");
    }
    for rule in &report.rules {
        let _infallible = writeln!(text, "  {} {}", mark(rule), rule.label);
        let _infallible = writeln!(text, "      {}", consequence(rule));
        let Some(explanation) = &rule.explanation else { continue };
        for (name, value) in &explanation.seen {
            let _infallible = writeln!(text, "      {name} = {}", shortened(&value.to_string()));
        }
        for Part { depth, text: part, outcome } in &explanation.parts {
            let indent = "  ".repeat(*depth);
            let _infallible = writeln!(text, "      {indent}{part} → {}", outcome_text(outcome.as_ref()));
        }
    }
}

fn mark(rule: &RuleReport) -> &'static str {
    match rule.explanation.as_ref().map(|explanation| &explanation.outcome) {
        None => "-",
        Some(Ok(false)) => "✓",
        Some(Ok(true)) if rule.action != PolicyAction::Deny => "!",
        Some(_) => "✗",
    }
}

fn consequence(rule: &RuleReport) -> String {
    match rule.explanation.as_ref().map(|explanation| &explanation.outcome) {
        None => "not looked at, because a rule before it had denied".to_owned(),
        Some(Ok(false)) => "does not hold".to_owned(),
        Some(Ok(true)) if rule.fields.is_empty() => format!("holds: {}", rule.action.as_str()),
        Some(Ok(true)) => format!("holds: {} {}", rule.action.as_str(), rule.fields.join(", ")),
        Some(Err(why)) => format!("cannot be evaluated, so it denies: {why}"),
    }
}

fn outcome_text(outcome: Option<&Result<bool, String>>) -> String {
    match outcome {
        None => "not looked at".to_owned(),
        Some(Ok(holds)) => holds.to_string(),
        Some(Err(why)) => format!("error: {why}"),
    }
}

fn rule_json(rule: &RuleReport) -> Value {
    let mut document = json!({
        "rule": rule.label,
        "action": rule.action.as_str(),
        "fields": rule.fields,
        "reason": rule.reason,
        "holds": null,
        "error": null,
        "is_reached": rule.explanation.is_some(),
    });
    if let (Some(fields), Some(Explanation { outcome, parts, seen })) = (document.as_object_mut(), &rule.explanation) {
        fields.insert("holds".to_owned(), outcome.as_ref().ok().copied().into());
        fields.insert("error".to_owned(), outcome.as_ref().err().cloned().into());
        fields.insert("saw".to_owned(), Value::Object(seen.iter().cloned().collect::<Map<_, _>>()));
        fields.insert("parts".to_owned(), parts.iter().map(part_json).collect());
    }
    document
}

fn part_json(part: &Part) -> Value {
    let outcome = part.outcome.as_ref();
    json!({
        "depth": part.depth,
        "text": part.text,
        "holds": outcome.and_then(|outcome| outcome.as_ref().ok()),
        "error": outcome.and_then(|outcome| outcome.as_ref().err()),
        "is_reached": outcome.is_some(),
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
