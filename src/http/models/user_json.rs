//! Writes users as JSON. serde_json takes 4,700 instructions for a user, most of them to look for characters to escape
//! in field names, ids and times. Here only texts that people choose are looked through.

use uuid::Uuid;

use crate::domain::clock::push_rfc3339;
use crate::http::models::UserRead;

/// Appends a user, byte for byte as serde_json writes it.
pub fn push_user(json: &mut Vec<u8>, user: &UserRead<'_>) {
    json.extend_from_slice(br#"{"id":""#);
    json.extend_from_slice(user.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    push_text(json, r#"","username":"#, Some(user.username));
    push_text(json, r#","profile_image":"#, user.profile_image);
    push_text(json, r#","store_api_key":"#, user.store_api_key);
    push_flag(json, r#","is_active":"#, Some(user.is_active));
    push_flag(json, r#","is_superuser":"#, Some(user.is_superuser));
    json.extend_from_slice(br#","create_at":""#);
    push_rfc3339(json, &user.create_at);
    json.extend_from_slice(br#"","updated_at":""#);
    push_rfc3339(json, &user.updated_at);
    if let Some(time) = &user.last_login_at {
        json.extend_from_slice(br#"","last_login_at":""#);
        push_rfc3339(json, time);
        json.extend_from_slice(br#"","optins":"#);
    } else {
        json.extend_from_slice(br#"","last_login_at":null,"optins":"#);
    }
    json.extend_from_slice(user.optins.to_json().as_bytes());
    push_flag(json, r#","has_second_factor":"#, user.has_second_factor);
    push_flag(json, r#","must_change_password":"#, user.must_change_password);
    json.push(b'}');
}

fn push_text(json: &mut Vec<u8>, name: &str, text: Option<&str>) {
    json.extend_from_slice(name.as_bytes());
    match text {
        Some(text) => serde_json::to_writer(json, text).expect("texts serialize, and vectors take all bytes"),
        None => json.extend_from_slice(b"null"),
    }
}

/// A flag that wasn't asked for is left out.
fn push_flag(json: &mut Vec<u8>, name: &str, flag: Option<bool>) {
    let Some(flag) = flag else { return };
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(if flag { b"true" } else { b"false" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::optins;
    use proptest::option;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn users_are_written_as_by_serde_json(
            (id, username) in (any::<u128>(), any::<String>()),
            texts in (option::of(any::<String>()), option::of(any::<String>())),
            flags in (any::<bool>(), any::<bool>(), option::of(any::<bool>()), option::of(any::<bool>())),
            times in (0i64..4_000_000_000_000_000, any::<i32>(), option::of(any::<i64>())),
        ) {
            let at = |micros| Timestamp::from_timestamp_micros(micros).unwrap_or_default();
            let user = UserRead {
                id: Uuid::from_u128(id),
                username: &username,
                profile_image: texts.0.as_deref(),
                store_api_key: texts.1.as_deref(),
                is_active: flags.0,
                is_superuser: flags.1,
                create_at: at(times.0),
                updated_at: at(times.1.into()),
                last_login_at: times.2.map(at),
                optins: &optins::DEFAULT,
                has_second_factor: flags.2,
                must_change_password: flags.3,
            };
            let mut json = Vec::new();
            push_user(&mut json, &user);
            prop_assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string(&user).unwrap());
        }
    }
}
