//! What clients remember about a user, such as which hint was closed. usher stores it and doesn't read it.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// The size limit, as JSON.
pub const MAX_BYTES: usize = 4096;

/// A JSON object of at most [`MAX_BYTES`]. Kept as text, as it is only written out again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct OptIns(Box<RawValue>);

impl OptIns {
    /// Returns `None` if the object is too large.
    pub fn new(object: Map<String, Value>) -> Option<Self> {
        let json = to_raw_value(&object).ok()?;
        (json.get().len() <= MAX_BYTES).then_some(Self(json))
    }

    /// Parses JSON. Returns `None` if it is not an object, or too large.
    pub fn parse(json: &str) -> Option<Self> {
        Self::new(serde_json::from_str(json).ok()?)
    }

    /// Takes what [`OptIns::to_json`] returned when it was stored. Returns `None` if it isn't a JSON object.
    pub fn from_stored(json: String) -> Option<Self> {
        let json = RawValue::from_string(json).ok()?;
        json.get().starts_with('{').then_some(Self(json))
    }

    /// Returns the object as JSON.
    pub fn to_json(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for OptIns {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl Eq for OptIns {}

impl TryFrom<Map<String, Value>> for OptIns {
    type Error = &'static str;

    fn try_from(object: Map<String, Value>) -> Result<Self, Self::Error> {
        Self::new(object).ok_or("the object is too large")
    }
}

/// Langflow's default.
pub static DEFAULT: LazyLock<OptIns> = LazyLock::new(|| {
    let names = ["github_starred", "dialog_dismissed", "discord_clicked"];
    let object = names.into_iter().map(|name| (name.to_owned(), Value::Bool(false))).collect();
    OptIns::new(object).expect("three short names are within the limit")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_up_to_the_limit_and_nothing_else_is() {
        let of_length = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert_eq!(OptIns::parse(&of_length(MAX_BYTES)).unwrap().to_json().len(), MAX_BYTES);
        assert_eq!(OptIns::parse(&of_length(MAX_BYTES + 1)), None);
        for other in ["null", "[]", "1", "", "{"] {
            assert_eq!(OptIns::parse(other), None, "{other}");
        }
        let text = r#"{"dialog_dismissed":false,"discord_clicked":false,"github_starred":false}"#;
        assert_eq!(DEFAULT.to_json(), text);
    }
}
