"""Uses the whole life of an account through a client that openapi-generator made from /openapi.json."""

import os
import sys

import usher_generated as usher

url = sys.argv[1]


def sign_in(name, password):
    token = usher.LoginApi(usher.ApiClient(usher.Configuration(host=url))).login_to_get_access_token_api_v1_login_post(
        username=name, password=password
    )
    client = usher.ApiClient(usher.Configuration(host=url))
    client.set_default_header("Authorization", f"Bearer {token.access_token}")
    return usher.UsersApi(client), usher.APIKeyApi(client)


admin, _ = sign_in("admin", os.environ["USHER_SUPERUSER_PASSWORD"])
password = "a quiet otter 7"
added = admin.add_user_api_v1_users_post(usher.UserCreate(username="og-erika", password=password))
listed = admin.read_all_users_api_v1_users_get(search="og-", sort="name")
assert [user.id for user in listed.users] == [added.id]
assert admin.patch_user_api_v1_users_user_id_patch(added.id, usher.UserUpdate(is_active=True)).is_active

erika, _ = sign_in("og-erika", password)
# The description of Langflow 1.13 has a schema of its own for this.
changes = getattr(usher, "PasswordResetRequest", usher.UserUpdate)(
    password="a quiet otter 8", current_password=password
)
erika.reset_password_api_v1_users_user_id_reset_password_patch(added.id, changes)
_, keys = sign_in("og-erika", "a quiet otter 8")
key = keys.create_api_key_route_api_v1_api_key_post(usher.ApiKeyCreate(name="trial"))
assert key.name == "trial" and key.last_used_at is None
keys.delete_api_key_route_api_v1_api_key_api_key_id_delete(key.id)
admin.delete_user_api_v1_users_user_id_delete(added.id)
print("openapi-generator: ok")
