//! The messages that clients can read, except validation messages that contain a number. Most are Langflow's: the wire
//! contract fixes them, because clients match on them.

pub const NOT_FOUND: &str = "Not Found";
pub const METHOD_NOT_ALLOWED: &str = "Method Not Allowed";
pub const UNPARSABLE_BODY: &str = "There was an error parsing the body";
pub const REJECTED: &str = "The user name or password was refused";
pub const BODY_TOO_LARGE: &str = "The request body must not exceed 65536 bytes";
pub const BODY_TOO_SLOW: &str = "The request body didn't arrive within 10 seconds";
pub const CROSS_SITE: &str = "Another site may have caused this request. Programs must send a token in the Authorization header; the origin of another page must be in cors_origins";
pub const FOREIGN_ORIGIN: &str = "The page that sent this request has another origin than usher. If it is usher's own page, set public_url to its address; if another page may call usher, add its origin to cors_origins";

pub const SESSION_ENDED: &str = "Session has ended.";
pub const INACTIVE_USER: &str = "Inactive user";
pub const NOT_SUPERUSER: &str = "The user doesn't have enough privileges";

pub const INVALID_LOGIN: &str = "Incorrect username or password";
pub const APPROVAL_PENDING: &str = "Waiting for approval";
pub const INVALID_REFRESH_TOKEN: &str = "Invalid refresh token";
pub const TOO_MANY_API_KEYS: &str = "You have 100 API keys; delete one to create another";
pub const API_KEYS_DELETED: &str = "API keys deleted";
pub const AMBIGUOUS_COOKIES: &str =
    "The browser sent cookies of two accounts; delete this site's cookies and sign in again";
pub const LOGGED_OUT: &str = "Logout successful";
pub const AUTO_LOGIN_LOCAL: &str = "Auto login only works on this machine, without a proxy";
pub const LAUNCH_SECRET: &str = "Auto login needs the launch secret of the program that started the server";

pub const USER_NOT_FOUND: &str = "User not found";
pub const USERNAME_TAKEN: &str = "This username is unavailable.";
pub const PRECONDITION_FAILED: &str = "The user was changed since you read it; reload and try again";
pub const SIGNUP_CLOSED: &str = "Public user registration is disabled.";
pub const PERMISSION_DENIED: &str = "Permission denied";
pub const DEACTIVATE_SELF: &str = "You can't deactivate your own user account";
pub const DELETE_SELF: &str = "You can't delete your own user account";
pub const LAST_SUPERUSER: &str = "The last active superuser can't be demoted or deactivated";
pub const PASSWORD_BY_PATCH: &str = "You can't change your password here";
pub const ANOTHERS_PASSWORD: &str = "You can't change another user's password";
pub const PASSWORD_BY_API_KEY: &str = "Sign in interactively to change your password";
pub const WRONG_CURRENT: &str = "Current password is incorrect";
pub const SAME_PASSWORD: &str = "You can't use your current password";

pub const OWN_DATA_BY_API_KEY: &str = "Sign in interactively to manage your own data";
pub const NO_DELETION_REQUEST: &str = "No deletion request";
pub const NO_PENDING_DELETION_REQUEST: &str = "No pending deletion request";
pub const LAST_SUPERUSER_LEAVES: &str =
    "You are the last active superuser; make another user a superuser before you leave";

pub const KEY_DELETED: &str = "API Key deleted";
pub const KEY_NOT_FOUND: &str = "API Key not found";
pub const KEY_SAVED: &str = "API Key saved";
pub const KEY_OUTLIVES: &str = "An API key can't create a key that expires after it";

pub const SESSIONS_BY_API_KEY: &str = "Sign in interactively to manage sessions";
pub const SESSION_NOT_FOUND: &str = "Session not found";
pub const ONE_SESSION_ENDED: &str = "Session ended";
pub const SESSIONS_ENDED: &str = "Sessions ended";

pub const SIGN_IN_TO_ENTER: &str = "Sign in to enter this site";
pub const SITE_FORBIDDEN: &str = "You aren't allowed to enter this site";
pub const AMBIGUOUS_FORWARDED_REQUEST: &str =
    "The proxy's headers don't say which site was requested; see the server's log";
pub const INVALID_RETURN_URL: &str = "This isn't the address of a site that you can enter from here";
pub const SITE_NEEDS_HTTPS: &str = "This site can only be entered over https; use an https address";
pub const SITE_ACCESS_BY_API_KEY: &str = "An API key can't open other sites in a browser; sign in instead";
pub const RENAME_SELF: &str =
    "You can't change your user name, because other sites identify you by it; ask an administrator";

pub const BACKUP_RUNNING: &str = "Another backup is being made";
pub const BACKUP_ELSEWHERE: &str =
    "The accounts are in PostgreSQL. Back it up with pg_dump, pgBackRest or your provider's backups.";
pub const BACKUP_FAILED: &str = "The backup failed; the server's log has the cause";
pub const BACKUPS_BY_API_KEY: &str = "An API key can't download backups; sign in instead";
pub const SETUP_COMPLETE: &str = "Setup is complete: a superuser exists";
pub const SETUP_LINK_VALID: &str = "The setup link is valid";
pub const SETUP_TOKEN: &str = "The setup link isn't valid; restart the server to get a new one";

pub const TOO_MANY_REQUESTS: &str = "Too many requests. Please try again later.";
pub const RESET_TOKEN: &str = "The reset link is no longer valid; ask for a new one";
pub const INVALID_INVITATION: &str = "The invitation is no longer valid; ask for a new one";
pub const INVITED_NAME: &str = "The invitation is for another user name";
pub const INVITATION_NOT_FOUND: &str = "Invitation not found";
pub const INVITATION_REVOKED: &str = "Invitation revoked";
pub const TOO_MANY_INVITATIONS: &str = "100 invitations are open; revoke one to create another";
pub const PASSWORD_SET: &str = "Password set";

pub const SECOND_FACTOR_REQUIRED: &str = "Second factor required";
pub const SECOND_FACTOR_MISSING: &str = "Set up a second factor first";
pub const PASSWORD_CHANGE_REQUIRED: &str = "Choose a new password first";
pub const CHALLENGE_ENDED: &str = "This sign-in has expired; sign in again";
pub const WRONG_CODE: &str = "Incorrect code";
pub const UNKNOWN_PASSKEY: &str = "This passkey isn't known here";
pub const INVALID_PASSKEY: &str = "The passkey could not be verified";
pub const UNVERIFIED_PASSKEY: &str = "The passkey must verify you, by PIN, fingerprint or face";
pub const CLONED_PASSKEY: &str = "The passkey's counter went back, so it may have been copied; ask an administrator";
pub const PASSKEY_TAKEN: &str = "This passkey is already in use";
pub const PASSKEYS_NEED_HTTPS: &str = "Passkeys need HTTPS, or http://localhost";
pub const PASSKEYS_NEED_A_DOMAIN: &str = "Passkeys need a domain name instead of an IP address";
pub const FACTOR_NOT_FOUND: &str = "Second factor not found";
pub const FACTOR_RENAMED: &str = "Second factor renamed";
pub const FACTOR_REMOVED: &str = "Second factor removed";
pub const FACTORS_BY_API_KEY: &str = "Sign in interactively to manage second factors";
pub const TOO_MANY_FACTORS: &str = "An account can have at most 20 second factors; remove one first";
pub const SIGN_IN_AGAIN: &str = "Sign in again to do this";
pub const AGAIN_BY_API_KEY: &str = "An API key can't sign in again; use the session";
pub const CURRENT_PASSWORD_NEEDED: &str = "Enter your current password, or sign in with a passkey";

pub const BUSY: &str = "The server is busy. Please try again.";
pub const UNAVAILABLE: &str = "The database can't be used right now. Please try again.";
pub const DISK_FULL: &str = "The server's disk is full";
/// Langflow's message.
pub const CHECK_THE_LOG: &str = "error check the server logs";
pub const DB_LOCKED: &str = "The database is locked by another process";
pub const DB_UNREACHABLE: &str = "The database server can't be reached";
pub const DB_READ_ONLY: &str = "The database is read-only";
pub const DB_DISK: &str = "The disk reports errors";
pub const DB_REPLACED: &str = "The database file was deleted or replaced; restart the server";
pub const DB_DAMAGED: &str = "The database file is damaged; restore a backup";
pub const INTERNAL: &str = "Internal Server Error";

/// pydantic's validation messages.
pub mod field {
    pub const MISSING: &str = "Field required";
    pub const STRING: &str = "Input should be a valid string";
    pub const NO_OBJECT: &str = "Input should be a valid dictionary or object to extract fields from";
    pub const DICT: &str = "Input should be a valid dictionary";
    pub const JSON: &str = "JSON decode error";
    pub const BOOL: &str = "Input should be a valid boolean";
    pub const BOOL_WORD: &str = "Input should be a valid boolean, unable to interpret input";
    pub const INT: &str = "Input should be a valid integer";
    pub const INT_TEXT: &str = "Input should be a valid integer, unable to parse string as an integer";
    pub const INT_FRACTION: &str = "Input should be a valid integer, got a number with a fractional part";
    pub const INT_SIZE: &str = "Unable to parse input string as an integer, exceeded maximum size";
    pub const FINITE: &str = "Input should be a finite number";
    pub const DATETIME: &str = "Input should be a valid datetime";
    pub const UUID: &str = "UUID input should be a string, bytes or UUID object";
    pub const UUID_TEXT: &str = "Value error, badly formed hexadecimal UUID string";
    pub const GRANT_TYPE: &str = "String should match pattern '^password$'";
    pub const KEY_IN_THE_PAST: &str = "Value error, Expiry should be in the future";
    pub const INVITATION_EXPIRY: &str = "Value error, Expiry should be in the future, and within 365 days";
    pub const ONE_USE: &str = "Value error, An invitation for a user name should have one use";
    pub const CREDENTIAL: &str =
        "Value error, The credential isn't what a browser's PublicKeyCredential.toJSON() returns";
    pub const NO_ROLES: &str = "Value error, usher has no roles";
    pub const NUL: &str = "Value error, String should not contain NUL characters";
    pub const CONTROLS: &str = "Value error, String should not contain control characters";
}
