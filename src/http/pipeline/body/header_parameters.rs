//! Parameters of headers such as `Content-Type` and `Content-Disposition`.

/// Returns the value of a parameter.
pub fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// Returns the parameters behind the first `;`, such as `name="a"`, with their names in lower case.
pub fn parameters(value: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, value)) = rest.split_once('=') {
        let value = value.trim_start();
        let (text, after) = if let Some(quoted) = value.strip_prefix('"') {
            unquoted(quoted)
        } else {
            let (text, after) = value.split_once(';').unwrap_or((value, ""));
            (text.trim_end().to_owned(), after)
        };
        found.push((name.trim_matches([' ', '\t', ';']).to_ascii_lowercase(), text));
        rest = after;
    }
    found
}

/// Reads up to the closing quote, and returns what follows it. A backslash escapes the next character.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => text.push(character),
        }
    }
    (text, "")
}
