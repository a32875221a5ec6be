//! Reads the forms of a page as a browser would: generically, without knowing whose page it is.

use super::{Pairs, change};

/// A form of a page.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) method: String,
    pub(crate) action: String,
    /// Inputs with their values.
    pub(crate) inputs: Pairs,
    /// Buttons with their names and values.
    pub(crate) buttons: Pairs,
}

impl Form {
    /// What is sent when the form is filled in with `values` and the button of that value is
    /// pressed; the empty text is a button without a name.
    pub(crate) fn filled(&self, button: &str, values: &[(&str, &str)]) -> Pairs {
        let mut sent = self.inputs.clone();
        for (name, value) in values {
            assert!(sent.iter().any(|(input, _)| input == name), "there is no input {name} in {self:?}");
            change(&mut sent, name, Some(value));
        }
        let pressed = self.buttons.iter().find(|(_, value)| value == button);
        let pressed = pressed.unwrap_or_else(|| panic!("there is no button {button} in {self:?}"));
        sent.extend((!pressed.0.is_empty()).then(|| pressed.clone()));
        sent
    }

    /// The value of an input.
    pub(crate) fn value(&self, name: &str) -> &str {
        &self.inputs.iter().find(|(input, _)| input == name).unwrap().1
    }
}

/// Every form of a page.
pub(super) fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for tag in html.split('<').skip(1) {
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        let attributes = attributes(&tag[name.len()..]);
        let attribute = |wanted: &str| {
            attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let named = (attribute("name"), attribute("value"));
        match name.as_str() {
            "form" => forms.push(Form {
                method: attribute("method"),
                action: attribute("action"),
                inputs: Vec::new(),
                buttons: Vec::new(),
            }),
            "input" => forms.last_mut().unwrap().inputs.push(named),
            "button" => forms.last_mut().unwrap().buttons.push(named),
            _ => (),
        }
    }
    forms
}

/// The attributes of a tag: names and values in double quotes.
fn attributes(tag: &str) -> Pairs {
    let mut found = Vec::new();
    let mut rest = tag.split('>').next().unwrap_or_default();
    while let Some(at) = rest.find("=\"") {
        let name = rest[..at].rsplit(' ').next().unwrap_or_default().to_owned();
        let (value, after) = rest[at + 2..].split_once('"').unwrap();
        found.push((name, unescape(value)));
        rest = after;
    }
    found
}

/// The text behind the character references that our templates write.
pub(super) fn unescape(text: &str) -> String {
    let references = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
    references.iter().fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}
