//! From the templates of a prompt to its messages.

use crate::model::endpoint::{PromptMessage, PromptRole};
use crate::model::tool::Parameter;
use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// How many steps the templates of one prompt may take each time, so that no loop holds a core.
const STEPS_MAX: u64 = 200_000;
/// How many bytes the messages of one prompt may have together.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The messages of a prompt, ready to be rendered.
#[derive(Debug)]
pub(super) struct CompiledPrompt {
    environment: Environment<'static>,
    /// Who says each message, and the name of its template.
    messages: Vec<(PromptRole, String)>,
}

impl CompiledPrompt {
    /// Compiles the templates.
    ///
    /// # Errors
    /// When one does not parse, or uses a name that is no parameter.
    pub(super) fn compile(messages: &[PromptMessage], parameters: &[Parameter]) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(STEPS_MAX));
        // It shows everything at once, also what a template does not name.
        environment.remove_global("debug");
        let mut compiled = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let name = format!("messages[{index}]");
            let text = message.text.clone();
            environment.add_template_owned(name.clone(), text).map_err(|error| format!("{name}.prompt: {error}"))?;
            compiled.push((message.role, name));
        }
        let prompt = Self { environment, messages: compiled };
        prompt.refuse_unknown_names(parameters)?;
        Ok(prompt)
    }

    fn refuse_unknown_names(&self, parameters: &[Parameter]) -> Result<(), String> {
        let is_known = |name: &String| {
            parameters.iter().any(|parameter| parameter.name == *name)
                || self.environment.globals().any(|(global, _)| global == name)
        };
        for (_, template) in &self.messages {
            let used = self.environment.get_template(template).map_err(|error| error.to_string())?;
            let mut unknown: Vec<_> =
                used.undeclared_variables(false).into_iter().filter(|name| !is_known(name)).collect();
            unknown.sort();
            if let Some(name) = unknown.first() {
                return Err(format!("{template}.prompt uses '{name}', which is no parameter"));
            }
        }
        Ok(())
    }

    /// The messages with the arguments in them: a list of objects with `prompt`, `role` and `type`.
    ///
    /// # Errors
    /// Why a template cannot be rendered with these arguments.
    pub(super) fn render(&self, arguments: &Map<String, Value>) -> Result<Value, String> {
        let context = minijinja::Value::from(Serde(arguments));
        let mut left = BYTES_MAX;
        let mut messages = Vec::with_capacity(self.messages.len());
        for (role, name) in &self.messages {
            let mut text = Bounded { text: Vec::new(), left };
            let template = self.environment.get_template(name).map_err(|error| explain(&error))?;
            template.render_captured_to(context.clone(), &mut text).map_err(|error| explain(&error))?;
            left = text.left;
            let text = String::from_utf8(text.text).map_err(|error| error.to_string())?;
            messages.push(json!({"prompt": text, "role": role.as_str(), "type": "text"}));
        }
        Ok(Value::Array(messages))
    }
}

fn explain(error: &Error) -> String {
    // What the writer says is what the template's own error hides.
    let cause = std::error::Error::source(error).filter(|cause| cause.is::<io::Error>());
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

/// Takes so many bytes and no more.
struct Bounded {
    text: Vec<u8>,
    left: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or_else(|| io::Error::other(format!("the messages are longer than {BYTES_MAX} bytes together")))?;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
