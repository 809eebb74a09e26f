"""Uses the whole life of an account through a client that openapi-python-client made from /openapi.json."""

import os
import sys

from usher_client import AuthenticatedClient, Client, models
from usher_client.api.api_key import (
    create_api_key_route_api_v1_api_key_post as create_key,
    delete_api_key_route_api_v1_api_key_api_key_id_delete as delete_key,
)
from usher_client.api.login import login_to_get_access_token_api_v1_login_post as login
from usher_client.api.users import (
    add_user_api_v1_users_post as add_user,
    delete_user_api_v1_users_user_id_delete as delete_user,
    patch_user_api_v1_users_user_id_patch as patch_user,
    read_all_users_api_v1_users_get as list_users,
    reset_password_api_v1_users_user_id_reset_password_patch as reset_password,
)

url = sys.argv[1]


def ok(response):
    assert response.status_code < 300, (response.status_code, response.content)
    return response.parsed


def sign_in(name, password):
    form = models.SignInForm(username=name, password=password)
    token = ok(login.sync_detailed(client=Client(url), body=form))
    return AuthenticatedClient(url, token.access_token)


admin = sign_in("admin", os.environ["USHER_SUPERUSER_PASSWORD"])
password = "a quiet otter 7"
added = ok(add_user.sync_detailed(client=admin, body=models.NewUser(username="py-erika", password=password)))
listed = ok(list_users.sync_detailed(client=admin, search="py-", sort=models.ReadAllUsersApiV1UsersGetSort.NAME))
assert [user.id for user in listed.users] == [added.id]
changes = models.ChangesToAUser(is_active=True)
assert ok(patch_user.sync_detailed(added.id, client=admin, body=changes)).is_active

erika = sign_in("py-erika", password)
changes = models.ChangesToAUser(password="a quiet otter 8", current_password=password)
ok(reset_password.sync_detailed(added.id, client=erika, body=changes))
erika = sign_in("py-erika", "a quiet otter 8")
key = ok(create_key.sync_detailed(client=erika, body=models.APIKeyToCreate(name="trial")))
assert key.name == "trial" and key.last_used_at is None
ok(delete_key.sync_detailed(key.id, client=erika))
refused = list_users.sync_detailed(client=admin, limit=5000)
assert refused.status_code == 422
ok(delete_user.sync_detailed(added.id, client=admin))
print("Python client: ok")
