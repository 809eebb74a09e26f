//! Second factors: authenticator apps, passkeys and recovery codes, and who needs one.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;

/// The most authenticator apps and passkeys of one account.
pub const MAX_FACTORS: usize = 20;
/// The longest name of a factor, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// A kind of second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorKind {
    /// Codes of an authenticator app.
    Totp,
    /// A passkey or security key.
    Passkey,
}

impl FactorKind {
    /// The name in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    /// The name of a factor without a name of its own.
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Totp => "Authenticator app",
            Self::Passkey => "Passkey",
        }
    }

    /// The name of a new factor.
    pub fn name_or_default(self, name: Option<String>) -> String {
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| self.default_name().to_owned())
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Totp, Self::Passkey].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A factor of an account, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its id in the API.
    pub id: Uuid,
    /// Its kind.
    pub kind: FactorKind,
    /// The name that its owner gave it.
    pub name: String,
    /// Whether it is in use: an authenticator app is confirmed by its first code.
    pub is_confirmed: bool,
    /// The relying party that a passkey belongs to.
    pub rp_id: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

/// A passkey's credential as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCredential {
    /// Its id, which is unique among all accounts.
    pub id: Vec<u8>,
    /// Its public key and counter, as JSON.
    pub json: String,
}

/// A password that a reset link sets once the second factor is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPassword {
    /// The hash of the link's token.
    pub reset_link: [u8; 32],
    /// The password's hash.
    pub hash: PasswordHash,
    /// Whether to delete the account's API keys, too.
    pub revoke_api_keys: bool,
}

/// Who needs a second factor: the setting `second_factor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondFactorPolicy {
    /// Nobody. Users can set one up.
    #[default]
    Optional,
    /// Superusers need one.
    Superusers,
    /// Everybody needs one.
    Everybody,
    /// Second factors are neither offered nor asked for.
    Off,
}

impl SecondFactorPolicy {
    /// Whether factors are offered and asked for at all.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    /// Whether this user must have a factor.
    pub fn requires(self, user: &User) -> bool {
        match self {
            Self::Optional | Self::Off => false,
            Self::Superusers => user.is_superuser,
            Self::Everybody => true,
        }
    }
}

/// The factors that can finish a sign-in, for the challenge that asks for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AvailableFactors {
    /// A confirmed authenticator app.
    pub totp: bool,
    /// A passkey.
    pub passkey: bool,
    /// An unused recovery code.
    pub recovery: bool,
}

impl AvailableFactors {
    /// Whether the account has a second factor. Recovery codes alone don't count, because they only replace one.
    pub fn is_enrolled(self) -> bool {
        self.totp || self.passkey
    }

    /// The names in the API, in the order in which they are offered.
    pub fn names(self) -> Vec<&'static str> {
        [(self.totp, "totp"), (self.passkey, "passkey"), (self.recovery, "recovery")]
            .into_iter()
            .filter_map(|(is_there, name)| is_there.then_some(name))
            .collect()
    }
}
