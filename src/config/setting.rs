//! The parts of a setting's declaration, and the macro that turns declarations into [`Config`](super::Config).

/// How a setting's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A string. The text is the value's name in help.
    Text(&'static str),
    /// A string that is never printed. Its flag names a file, because every process can read a command line.
    Secret,
    /// True or false.
    Bool,
    /// True, false or a process id.
    BoolOrNumber,
    /// One of these choices, separated by `|`.
    Choice(&'static str),
    /// A whole number.
    Number,
    /// Strings: an array in the file, comma-separated elsewhere.
    List,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in the configuration file.
    pub name: &'static str,
    /// The heading in the documentation.
    pub section: &'static str,
    /// The default in the form of an environment variable; empty for none.
    pub default: &'static str,
    /// What the default means, if the value doesn't say it.
    pub note: &'static str,
    /// How its values are written.
    pub value_type: ValueType,
    /// The description: a paragraph, then optional details.
    pub(super) doc: &'static str,
}

impl Setting {
    /// The description in one paragraph.
    pub fn summary(&self) -> String {
        paragraph(self.doc.split("\n\n").next().unwrap_or_default())
    }

    /// What `config.toml` adds to the summary.
    pub(super) fn details(&self) -> String {
        paragraph(self.doc.split_once("\n\n").map_or("", |(_, details)| details))
    }

    /// The flag without its dashes. A secret's flag names a file.
    pub fn flag(&self) -> String {
        let name = self.name.replace('_', "-");
        if self.is_secret() { format!("{name}-file") } else { name }
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Whether the value must never be printed.
    pub fn is_secret(&self) -> bool {
        self.value_type == ValueType::Secret
    }
}

fn paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The environment variable for a key of the configuration file.
pub(super) fn variable(name: &str) -> String {
    format!("USHER_{}", name.to_ascii_uppercase())
}

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    super::SETTINGS.iter().find(|setting| setting.name == name)
}

/// Every key that the configuration file can contain: the settings, and `NAME_file` for each secret.
pub(super) fn keys() -> impl Iterator<Item = String> {
    let files = super::SETTINGS.iter().filter(|setting| setting.is_secret());
    let files = files.map(|setting| format!("{}_file", setting.name));
    super::SETTINGS.iter().map(|setting| setting.name.to_owned()).chain(files)
}

/// The type of the value behind one of [`keys`].
pub(super) fn value_type(key: &str) -> Option<ValueType> {
    let secret_file = || key.strip_suffix("_file").and_then(find).filter(|setting| setting.is_secret());
    find(key).map(|setting| setting.value_type).or_else(|| secret_file().map(|_| ValueType::Text("PATH")))
}

/// Declares settings, by section:
///
/// ```text
/// /// Summary.
/// ///
/// /// Details.
/// name: Type = "default" ("note"), ValueType, method(parser);
/// ```
///
/// `method` is one of [`Sources`](super::sources::Sources)' readers. Makes `Config`, `Config::read`, `Config::shown`
/// and `SETTINGS`.
macro_rules! settings {
    ($($section:literal { $(
        $(#[doc = $doc:literal])+
        $name:ident: $type:ty = $default:literal $(($note:literal))?, $value_type:expr, $method:ident($($parser:expr)?);
    )* })*) => {
        /// Every setting, parsed and validated.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($( $(#[doc = $doc])+ pub $name: $type, )*)*
            /// The configuration file that was read.
            pub file: Option<std::path::PathBuf>,
            /// What the person who runs a command should know about the search for the file.
            pub notices: Vec<String>,
            /// Where each setting's value comes from. Has every setting's name.
            pub sources: std::collections::BTreeMap<&'static str, ValueSource>,
        }

        /// Every setting, in the order of `config.toml`.
        pub static SETTINGS: &[crate::config::setting::Setting] = &[$($(
            crate::config::setting::Setting {
                name: stringify!($name),
                section: $section,
                default: $default,
                note: concat!("" $(, $note)?),
                value_type: $value_type,
                doc: concat!($($doc, "\n"),+),
            },
        )*)*];

        impl Config {
            /// Reads each setting by itself.
            pub(super) fn read(sources: &mut sources::Sources<'_>) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($( $name: sources.$method(stringify!($name) $(, $parser)?)?, )*)*
                    file: None,
                    notices: Vec::new(),
                    sources: std::collections::BTreeMap::new(),
                })
            }

            /// The printable value of a setting: secrets as `***`, unset and unknown settings as an empty string.
            pub fn shown(&self, name: &str) -> String {
                match name {
                    $($( stringify!($name) => crate::config::shown::Shown::shown(&self.$name), )*)*
                    _ => String::new(),
                }
            }
        }
    };
}
pub(super) use settings;
