// Uses the whole life of an account through a client that @hey-api/openapi-ts made from /openapi.json.
import { createClient } from './hey-api/client/index.js';
import * as usher from './hey-api/sdk.gen.js';

const baseUrl = process.argv[2]!;

async function signIn(username: string, password: string) {
  const client = createClient({ baseUrl, throwOnError: true });
  const { data } = await usher.loginToGetAccessTokenApiV1LoginPost({ client, body: { username, password }, throwOnError: true });
  return createClient({ baseUrl, auth: data.access_token, throwOnError: true });
}

const strict = { throwOnError: true } as const;
const admin = await signIn('admin', process.env['USHER_SUPERUSER_PASSWORD']!);
const password = 'a quiet otter 7';
const { data: added } = await usher.addUserApiV1UsersPost({ client: admin, body: { username: 'hey-erika', password }, ...strict });
const path = { user_id: added.id };
const { data: list } = await usher.readAllUsersApiV1UsersGet({ client: admin, query: { search: 'hey-', sort: 'name' }, ...strict });
if (list.total_count !== 1 || list.users[0]?.id !== added.id) throw new Error('the new user is not listed');
const { data: changed } = await usher.patchUserApiV1UsersUserIdPatch({ client: admin, path, body: { is_active: true }, ...strict });
if (!changed.is_active) throw new Error('the user was not activated');

const erika = await signIn('hey-erika', password);
const next = 'a quiet otter 8';
const body = { password: next, current_password: password };
await usher.resetPasswordApiV1UsersUserIdResetPasswordPatch({ client: erika, path, body, ...strict });
const again = await signIn('hey-erika', next);
const { data: key } = await usher.createApiKeyRouteApiV1ApiKeyPost({ client: again, body: { name: 'trial' }, ...strict });
await usher.deleteApiKeyRouteApiV1ApiKeyApiKeyIdDelete({ client: again, path: { api_key_id: key.id }, ...strict });
await usher.deleteUserApiV1UsersUserIdDelete({ client: admin, path, ...strict });
console.log('@hey-api/openapi-ts: ok');
