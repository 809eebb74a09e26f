// Uses the whole life of an account through a client that is typed by /openapi.json.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

const client = createClient<paths>({ baseUrl: process.argv[2]! });

function must<T>(what: string, result: { data?: T; error?: unknown; response: Response }): T {
  if (!result.response.ok || result.data === undefined) {
    throw new Error(`${what}: ${result.response.status} ${JSON.stringify(result.error)}`);
  }
  return result.data;
}

async function signIn(username: string, password: string): Promise<components['schemas']['Token']> {
  const result = await client.POST('/api/v1/login', {
    body: { username, password },
    bodySerializer: (form) => new URLSearchParams({ username: form.username, password: form.password }),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  return must('sign in', result);
}

const bearer = (token: components['schemas']['Token']) => ({ authorization: `Bearer ${token.access_token}` });
const admin = bearer(await signIn('admin', process.env['USHER_SUPERUSER_PASSWORD']!));

const password = 'a quiet otter 7';
const added = must('add', await client.POST('/api/v1/users/', { body: { username: 'ts-erika', password }, headers: admin }));
const path = { user_id: added.id };
const list = must('list', await client.GET('/api/v1/users/', { params: { query: { search: 'ts-', sort: 'name' } }, headers: admin }));
if (list.total_count !== 1 || list.users[0]?.id !== added.id) throw new Error('the new user is not listed');
const changed = must('patch', await client.PATCH('/api/v1/users/{user_id}', { params: { path }, body: { is_active: true }, headers: admin }));
if (!changed.is_active) throw new Error('the user was not activated');

const erika = bearer(await signIn('ts-erika', password));
const next = 'a quiet otter 8';
must('reset', await client.PATCH('/api/v1/users/{user_id}/reset-password', {
  params: { path }, body: { password: next, current_password: password }, headers: erika,
}));
const again = bearer(await signIn('ts-erika', next));
const key = must('create key', await client.POST('/api/v1/api_key/', { body: { name: 'trial' }, headers: again }));
const self = must('whoami', await client.GET('/api/v1/users/whoami', { headers: { 'x-api-key': key.api_key } }));
if (self.username !== 'ts-erika') throw new Error('the key belongs to somebody else');
must('delete key', await client.DELETE('/api/v1/api_key/{api_key_id}', { params: { path: { api_key_id: key.id } }, headers: again }));
const refused = await client.GET('/api/v1/users/', { params: { query: { limit: 5000 } }, headers: admin });
if (refused.response.status !== 422) throw new Error('a limit of 5000 was taken');
must('delete', await client.DELETE('/api/v1/users/{user_id}', { params: { path }, headers: admin }));
console.log('TypeScript client: ok');
