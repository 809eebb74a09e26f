// All texts of the console, for translation. Functions take the values to insert; some of them are elements.

const users = (count, shown) => `${shown} ${count === 1 ? 'user matches' : 'users match'}`;

// Counts are already formatted for people.
const some = (count, one, many) => `${count} ${count === '1' ? one : many}`;

export const common = {
  none: '–',
  never: 'never',
  cancel: 'Cancel',
  done: 'Done',
  save: 'Save',
  delete: 'Delete',
  copy: 'Copy',
  copied: 'Copied',
  retry: 'Try again',
  loading: 'Loading…',
  wait: 'Please wait…',
  userName: 'User name',
  password: 'Password',
  newPassword: 'New password',
  repeatPassword: 'Repeat password',
  passwordRules: (min) => `${min} to 72 characters. Not your user name or a common password.`,
  passwordsDiffer: 'The passwords don’t match.',
  reload: 'The page could not be loaded completely.',
};

export const errors = {
  status: (status) => `The server returned an error (${status}).`,
  unreachable: 'The server can’t be reached.',
  unexpected: 'Something went wrong on this page.',
  fields: 'Fix the highlighted fields.',
  required: 'Fill in this field.',
  otherUser: 'Another user signed in with this browser.',
  signedOut: 'You are signed out.',
  tooMany: (wait) => `Too many attempts. Wait ${wait}.`,
  waitButton: (wait) => `Wait ${wait}`,
  copyBlocked: 'Your browser blocked copying. Press Ctrl+C or ⌘C.',
};

export const connection = {
  down: 'The server can’t be reached. Retrying…',
  back: 'The server is back.',
};

export const session = {
  ended: 'Your session was ended.',
  signInAgain: 'Sign in again.',
  signedOut: 'You are signed out.',
  deleted: 'Your account was deleted.',
  stillSignedIn: (why) => `You are still signed in. ${why}`,
  switchedUser: (name) => `You are now signed in as ${name}.`,
  rightsRemoved: 'Your superuser rights were removed.',
  basePath: (actual, configured) => ['This page is at ', actual, ', but the setting ', configured.key, ' is ',
    configured.value, '. Sign-in will not last and links will not work.'],
};

export const shell = {
  skip: 'Skip to content',
  navigation: 'Main',
  users: 'Users',
  audit: 'Audit',
  account: 'My account',
  signOut: 'Sign out',
  api: 'API',
  waiting: 'Waiting',
  waitingCount: (count) => `${count} waiting`,
  version: (version) => `usher ${version}`,
  server: 'Server',
  theme: 'Theme',
  themes: { '': 'System', light: 'Light', dark: 'Dark' },
  notFound: 'Page not found',
  notFoundText: 'The console has no page at this address.',
};

export const discard = {
  title: 'Discard unsaved changes?',
  text: 'Your changes on this page are not saved.',
  submit: 'Discard changes',
  cancel: 'Keep editing',
};

export const signIn = {
  title: 'Sign in',
  toSite: (site) => ['Sign in to open ', site, '.'],
  noAccount: 'No account yet?',
  signUp: 'Create an account',
  forgot: 'Forgot your password? Ask an administrator for a reset link.',
};

export const passkeys = {
  signIn: 'Sign in with a passkey',
  use: 'Use a passkey or security key',
  or: 'or',
  atLocalhost: (link) => ['Passkeys don’t work at this address. Open ', link, ' instead.'],
  atDomain: (domain) => ['Passkeys work only at ', domain, '.'],
  needHttps: 'Passkeys don’t work here, because this page doesn’t use HTTPS.',
  unsupported: 'This browser is too old for passkeys.',
  failed: 'The browser could not use the passkey.',
  /** By the name of the browser's error. */
  failures: {
    NotAllowedError: 'You canceled, or it took too long. Try again.',
    InvalidStateError: 'This passkey is already on your account.',
    SecurityError: 'Passkeys don’t work at this address.',
  },
};

export const secondStep = {
  title: 'Confirm it’s you',
  app: { label: 'Code', hint: 'Enter the six digits that your authenticator app shows.' },
  recovery: { label: 'Recovery code', hint: 'Each recovery code works once.' },
  useApp: 'Use your authenticator app',
  useRecovery: 'Use a recovery code',
  back: 'Start over',
  ended: 'The sign-in took too long, or too many codes were wrong. Sign in again.',
  lost: 'Lost your device and your recovery codes? Ask an administrator.',
};

export const again = {
  title: 'Sign in again',
  why: 'Your last sign-in was a while ago. Confirm that it’s you to continue.',
  submit: 'Continue',
  useCode: 'Use a code',
  usePassword: 'Use your password',
};

export const security = {
  section: 'Sign-in security',
  none: 'Only your password protects this account. With a second factor, a stolen password isn’t enough to sign in.',
  intro: 'After your password, sign-in asks for one of these. A passkey also works without the password.',
  kinds: { totp: 'Authenticator app', passkey: 'Passkey' },
  created: (time) => ['added ', time],
  lastUsed: (time) => ['last used ', time],
  passkeysUnavailable: (why) => `${why[0].toUpperCase()}${why.slice(1)}.`,
  elsewhere: {
    passkey: 'Made at another address of this server. It doesn’t work here.',
    totp: 'This server can’t read its secret any more. Remove it, and add it again.',
  },
  addApp: 'Add authenticator app',
  addPasskey: 'Add passkey',
  appIntro: 'An authenticator app on your phone or computer shows a new code every 30 seconds.',
  passkeyIntro: 'A passkey is kept by your device, your password manager, or a security key.',
  name: 'Name',
  nameHints: { totp: 'Such as “Phone”.', passkey: 'Such as “Laptop” or “Blue security key”.' },
  proofHint: 'You can leave it out for ten minutes after you sign in with a passkey.',
  proveByPasskey: 'Use a passkey instead',
  next: 'Next',
  scan: 'Scan this code with your app.',
  qr: 'QR code with the secret',
  secret: (secret) => ['Or type the secret: ', secret],
  openApp: 'Open an app on this device',
  confirm: 'Confirm',
  appAdded: 'The authenticator app was added.',
  passkeyAdded: 'The passkey was added.',
  rename: 'Rename',
  renameOne: (name) => `Rename ${name}`,
  renameTitle: 'Rename',
  renamed: 'The name was saved.',
  remove: 'Remove',
  removeOne: (name) => `Remove ${name}`,
  removeTitle: (name) => `Remove ${name}?`,
  removeText: 'You can’t sign in with it any more.',
  removeLast: 'It is your last second factor. Your recovery codes are removed, too, and the password alone will sign you in.',
  removeRequired: 'It is your last second factor, and you need one. Your recovery codes are removed, too, and you must set up a new one.',
  removed: 'The second factor was removed.',
  left: (count) => `Recovery codes left: ${count}.`,
  makeCodes: 'Make recovery codes',
  replaceCodes: 'Replace recovery codes',
  codesTitle: (left) => (left ? 'Replace your recovery codes?' : 'Make recovery codes'),
  replaceText: 'Your current recovery codes stop working.',
  codesIntro: 'Use a recovery code to sign in when you don’t have your device. Each works once.',
  codes: 'Recovery codes',
  codesText: 'Keep these codes away from your device. Each signs you in once. They won’t be shown again.',
  codesFile: 'usher-recovery-codes.txt',
  download: 'Download',
};

export const passwordRequired = {
  title: 'Choose a new password',
  why: 'An administrator asks you to change your password. Then you can continue.',
};

export const factorRequired = {
  title: 'Set up a second factor',
  why: 'This server requires a second factor for your account. Add one to continue.',
  next: 'Continue',
};

export const userFactors = {
  none: 'No second factor.',
  missing: 'No second factor. The server’s settings require one.',
  removeText: (name) => `${name} can’t sign in with it any more.`,
  removeLast: (name) => `It is the last second factor of ${name}. The recovery codes are removed, too, and the password alone will sign in.`,
};

export const signUp = {
  title: 'Create an account',
  approval: 'An administrator must approve your account before you can sign in.',
  submit: 'Create account',
  haveAccount: 'Already have an account?',
  waiting: (name) => `${name} is waiting for approval. You can sign in after an administrator approves the account.`,
};

export const needsSetup = {
  title: 'This server isn’t set up yet',
  intro: 'Open the setup link to create the first administrator account.',
  file: (path) => ['The link is in the file ', path, ' on the server.'],
  log: 'The server printed the link when it started. Restart the server to get a new link.',
};

export const setup = {
  title: 'Welcome',
  intro: 'Create the first administrator account. It can manage all other accounts.',
  noToken: 'The setup token is missing. Open the link that the server showed at startup.',
  complete: 'Setup is complete. Sign in.',
  form: 'First administrator',
  submit: 'Create account',
};

export const reset = {
  title: 'Set a new password',
  intro: 'This link works once. Setting the password ends all your sessions.',
  noToken: 'The reset token is missing. Open the complete link.',
  form: 'New password',
  submit: 'Set password',
  account: 'Account',
  signIn: 'Go to sign-in',
  done: 'Your password was set.',
  ended: 'It took too long, or too many codes were wrong. Your password is not set yet. Try again.',
};

export const invitation = {
  title: 'Create your account',
  intro: (until) => ['You are invited to create an account. The invitation works until ', until, '.'],
  noToken: 'The invitation’s token is missing. Open the complete link.',
  form: 'Your account',
  done: (name) => `The account ${name} was created.`,
  submit: 'Create account',
};

export const sites = {
  opening: 'You are signed in. Opening the site…',
  denied: 'Access denied',
  bounced: (site) => `${site} sent you back: its sign-in cookie did not arrive.`,
  signedInAs: (name) => ['You are signed in as ', name, '.'],
  otherUser: 'Sign in as another user',
  account: 'My account',
  signOutTitle: 'Sign out',
  signOutIntro: 'This signs you out here and at all sites that you opened from here.',
};

export const states = {
  active: 'Active', inactive: 'Inactive', waiting: 'Waiting', superuser: 'Superuser', leaves: 'Wants deletion', secondFactor: 'Second factor',
};

export const userList = {
  title: 'Users',
  create: 'New user',
  invitations: 'Invitations',
  search: 'Search by name',
  show: 'Show',
  filters: { '': 'All users', waiting: 'Waiting', active: 'Active', inactive: 'Inactive', superuser: 'Superusers',
    deletion: 'Deletion requested' },
  factorFilters: { no_second_factor: 'No second factor' },
  order: 'Order',
  orders: {
    'created asc': 'Oldest first', 'created desc': 'Newest first', 'name asc': 'Name, A to Z', 'name desc': 'Name, Z to A',
    'last_login desc': 'Last sign-in, newest first', 'last_login asc': 'Last sign-in, oldest first',
  },
  name: 'Name',
  state: 'State',
  lastLogin: 'Last sign-in',
  created: 'Created',
  actions: 'Actions',
  approve: 'Approve',
  reject: 'Reject',
  rejectUser: (name) => `Reject ${name}`,
  rejectTitle: (name) => `Reject ${name}?`,
  rejectText: (name) => `The account ${name} will be deleted.`,
  rejected: (name) => `${name} was rejected.`,
  failed: (name, why) => `${name}: ${why}`,
  approveUser: (name) => `Approve ${name}`,
  canSignIn: (name) => `${name} can sign in now.`,
  range: (from, to, total) => `${from} to ${to} of ${total} users`,
  empty: { '': 'No users.', waiting: 'No users are waiting for approval.', inactive: 'No inactive users.',
    deletion: 'No deletion requests are pending.', no_second_factor: 'All users have a second factor.' },
  noneMatch: 'No users match.',
  selectUser: (name) => `Select ${name}`,
  selectAll: 'Select all on this page',
  exportCsv: 'Export CSV',
  exportJsonLines: 'Export JSON Lines',
  exported: (count) => `${some(count, 'user was', 'users were')} exported.`,
  showAll: 'Show all users',
};

export const invitations = {
  title: 'Invitations',
  intro: 'With an invitation, people create an active account themselves, also while sign-up is closed.',
  create: 'New invitation',
  submit: 'Create link',
  userName: 'User name (optional)',
  userNameHint: 'If empty, the invited person chooses one.',
  uses: 'Number of accounts',
  lifetime: 'Valid for',
  lifetimes: [['1', 'A day'], ['7', 'A week'], ['30', '30 days'], ['90', '90 days'], ['365', 'A year']],
  created: 'The invitation was created',
  link: 'Invitation link',
  usable: (name, uses, until) => [name ?? (uses === 1 ? 'One person' : `Up to ${uses} people`),
    ' can use this link until ', until, ' to create an account. Keep it secret. It won’t be shown again.'],
  none: 'No open invitations.',
  anyName: 'Any user name',
  used: (uses, most) => `used ${uses} of ${most}`,
  createdAt: (time) => ['created ', time],
  expires: (time) => ['expires ', time],
  revoke: 'Revoke',
  revokeOne: (name) => `Revoke invitation: ${name}`,
  revokeTitle: 'Revoke this invitation?',
  revokeText: 'Its link stops working. Accounts that were created with it stay.',
  revoked: 'The invitation was revoked.',
};

export const bulk = {
  label: 'Selected users',
  selected: (count) => `${count} selected`,
  actions: { approve: 'Approve', deactivate: 'Deactivate', endSessions: 'End sessions', delete: 'Delete' },
  titles: {
    deactivate: (count) => `Deactivate ${some(count, 'user', 'users')}?`,
    endSessions: (count) => `End all sessions of ${some(count, 'user', 'users')}?`,
    delete: (count) => `Delete ${some(count, 'user', 'users')} permanently?`,
  },
  done: {
    approve: (count) => `${some(count, 'user', 'users')} can sign in now.`,
    deactivate: (count) => `${some(count, 'user was', 'users were')} deactivated.`,
    endSessions: (count) => `The sessions of ${some(count, 'user', 'users')} were ended.`,
    delete: (count) => `${some(count, 'user was', 'users were')} deleted.`,
  },
  failed: (count, list) => `${some(count, 'user', 'users')} failed. ${list}`,
  andMore: (names, count) => `${names} and ${count} more`,
  clear: 'Clear selection',
};

export const newUser = {
  title: 'New user',
  submit: 'Create',
  method: 'Password setup',
  methods: { link: 'Create a one-time link', password: 'Set a password now' },
  linkHint: 'You get a link. Give it to the user to choose a password.',
  active: 'Active: can sign in right away',
  superuser: 'Superuser: can manage all accounts',
  created: (name) => `${name} was created.`,
  createdTitle: (name) => `${name} was created`,
};

export const user = {
  one: 'User',
  missing: 'This account doesn’t exist.',
  id: 'ID',
  copyId: 'Copy ID',
  deactivateTitle: (name) => `Deactivate ${name}?`,
  deactivateText: (name) => `${name} will be signed out everywhere and can’t sign in.`,
  crumb: 'Users',
  audit: 'Audit log',
  stateTitle: 'State',
  state: 'State',
  created: 'Created',
  lastLogin: 'Last sign-in',
  lastChange: 'Last change',
  approve: 'Approve',
  activate: 'Activate',
  deactivate: 'Deactivate',
  deactivated: (name) => `${name} was signed out everywhere and can’t sign in.`,
  canSignIn: (name) => `${name} can sign in now.`,
  promote: 'Make superuser',
  promoteTitle: 'Make superuser?',
  promoteText: (name) => `${name} will be able to view, change and delete every account, and to read the audit log.`,
  promoted: (name) => `${name} is now a superuser.`,
  demote: 'Remove superuser rights',
  demoteTitle: 'Remove superuser rights?',
  demoteSubmit: 'Remove rights',
  demoteText: (name) => `${name} will no longer be able to view or change other accounts.`,
  demoteSelf: 'You will no longer be able to view or change other accounts.',
  demoted: (name) => `${name} is no longer a superuser.`,
};

export const resetLink = {
  section: 'Password',
  intro: (name) => `With a reset link, ${name} can set a new password once within 24 hours. A new link replaces the previous one.`,
  create: 'Create reset link',
  title: (name) => `Reset link for ${name}`,
  label: 'Reset link',
  usable: (name, until) => [`${name} can use this link once, until `, until,
    ', to set a password. Keep it secret. It won’t be shown again.'],
  inactive: 'The account can’t sign in until it is approved.',
};

export const setPassword = {
  open: 'Set password',
  title: (name) => `Set a password for ${name}`,
  intro: 'All sessions of the account will be ended.',
  submit: 'Set password',
  done: (name) => `The password of ${name} was set.`,
  mustChange: 'Must be changed at the next sign-in',
};

export const requirePassword = {
  require: 'Require new password',
  cancel: 'Don’t require new password',
  title: (name) => `Require a new password from ${name}?`,
  text: (name) => `${name} must choose a new password to continue, also where ${name} is signed in now. API keys go on working.`,
  required: (name) => `${name} must choose a new password at the next sign-in.`,
  canceled: (name) => `${name} can keep the password.`,
};

export const deletion = {
  section: 'Delete',
  intro: 'Deletes the account with its sessions and API keys. The audit log is kept.',
  open: 'Delete user',
  title: (name) => `Delete ${name}?`,
  submit: 'Delete permanently',
  confirm: (word) => `Type “${word}” to confirm`,
  word: 'delete',
  deleted: (name) => `${name} was deleted.`,
};

export const ownData = {
  section: 'Your data',
  intro: 'Download your account, sessions, API keys and recent activity as JSON, without passwords and keys.',
  download: 'Download my data',
  downloaded: 'Your data was downloaded.',
  delete: 'Delete my account',
  deleteTitle: 'Delete your account?',
  ask: 'Request deletion',
  askTitle: 'Request the deletion of your account?',
  askText: 'An administrator decides. Until then, you can use your account or withdraw the request.',
  asked: 'Your request was sent.',
  pending: (time) => ['You asked for the deletion of your account ', time, '.'],
  refused: (time) => ['An administrator declined the deletion of your account ', time, '.'],
  withdraw: 'Withdraw request',
  withdrawn: 'Your request was withdrawn.',
};

export const deletionRequest = {
  section: 'Deletion request',
  pending: (name, time) => [`${name} asked for the deletion of this account `, time, '.'],
  grant: 'Grant',
  grantUser: (name) => `Grant the deletion of ${name}`,
  decline: 'Decline',
  declineUser: (name) => `Decline the deletion of ${name}`,
  declined: (name) => `${name} keeps the account.`,
};

export const profile = {
  section: 'Profile',
  file: 'Picture file',
  choose: 'Choose picture',
  remove: 'Remove picture',
  pictureSaved: 'The picture was saved.',
  pictureRemoved: 'The picture was removed.',
  unreadable: 'This isn’t an image your browser can read.',
  saved: 'Saved.',
};

export const conflict = {
  title: 'This account was changed in the meantime:',
  notSaved: 'Your change is not saved.',
  overwrite: 'Save anyway',
  discard: 'Discard my change',
  renamed: (name) => `the name is now “${name}”`,
  picture: 'the picture was changed',
  activated: 'it can sign in now',
  deactivated: 'it can no longer sign in',
  promoted: 'it is now a superuser',
  demoted: 'it is no longer a superuser',
  other: 'the password or another detail was changed',
};

export const password = {
  section: 'Password',
  current: 'Current password',
  hint: (min) => `${common.passwordRules(min)} Your other sessions will be ended.`,
  submit: 'Change password',
  changed: 'Your password was changed. Your other sessions were ended.',
};

export const sessions = {
  section: 'Sessions',
  endAll: 'End all',
  endOthers: 'End all others',
  end: 'End',
  endOne: (client, address) => `End session: ${client}, ${address}`,
  ended: 'The session was ended.',
  othersEnded: 'All other sessions were ended.',
  allEnded: 'All sessions were ended.',
  none: 'No sessions.',
  current: 'This device',
  since: (start) => ['since ', start],
  lastUsed: (time) => ['last used ', time],
  unknownClient: 'Unknown client',
  clientOn: (browser, system) => `${browser} on ${system}`,
};

export const keys = {
  section: 'API keys',
  create: 'New key',
  none: 'No API keys.',
  purpose: 'Programs use API keys instead of a password.',
  unnamed: 'Unnamed key',
  expired: 'Expired',
  created: (time) => ['created ', time],
  lastUsed: (time) => ['last used ', time],
  expires: (time) => (time ? ['expires ', time] : 'never expires'),
  deleteOne: (name) => `Delete key: ${name}`,
  deleteTitle: 'Delete this key?',
  deleteText: (name) => `Programs that use “${name}” will stop working.`,
  deleted: 'The key was deleted.',
  deleteAll: 'Delete all',
  deleteAllTitle: (count) => `Delete all ${count} keys?`,
  deleteAllText: 'Programs that use them will stop working.',
  allDeleted: 'All keys were deleted.',
  revoke: 'Delete all API keys',
  newTitle: 'New API key',
  submit: 'Create key',
  name: 'Name',
  nameHint: 'Say what it is for, such as “backup script”.',
  expiry: 'Expires',
  expiries: [['', 'Never'], ['1', 'In a day'], ['7', 'In a week'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['365', 'In a year']],
  createdTitle: 'Your new API key',
  copyNow: 'Copy the key now. It won’t be shown again; the server stores only a hash.',
  label: 'API key',
};

export const activity = {
  section: 'Recent activity',
  by: (name) => ['by ', name],
  to: (name) => ['to ', name],
};

export const lists = {
  more: (count, left) => `Show ${count} more (${left} not shown)`,
  rest: (left) => `Show the rest (${left} not shown)`,
};

export const pager = {
  label: (what) => `Pages of ${what}`,
  users: 'users',
  audit: 'the audit log',
  range: (from, to, total) => `${from}–${to} of ${total}`,
  none: 'None',
  first: 'First page',
  previous: 'Previous',
  next: 'Next',
  last: 'Last page',
  size: 'Rows per page',
  rows: (count) => `${count} rows`,
};

export const audit = {
  title: 'Audit log',
  caption: 'Audit log, newest first',
  account: 'View account',
  user: 'User',
  allUsers: 'All users',
  noUser: 'No user has this name.',
  matches: (count, shown) => `${users(count, shown)}. Press Enter to select the first.`,
  action: 'Action',
  allActions: 'All actions',
  time: 'Time',
  actor: 'Actor',
  target: 'Target',
  address: 'Address',
  failed: 'Failed',
  times: (count) => `${count} times`,
  failedOnly: 'Failed only',
  from: 'From',
  to: 'To',
  download: 'Download CSV',
  downloaded: (count) => `${some(count, 'entry was', 'entries were')} downloaded.`,
  range: (from, to, total) => `${from} to ${to} of ${total} entries`,
  none: 'No entries match.',
  showAll: 'Show all entries',
  actions: {
    login: 'Signed in', 'login.again': 'Signed in again', logout: 'Signed out', 'session.end': 'Session ended', 'refresh.reuse': 'Refresh token reused',
    'user.add': 'User created', 'user.change': 'User changed', 'user.delete': 'User deleted',
    'deletion.request': 'Deletion requested', 'deletion.withdraw': 'Deletion request withdrawn',
    'deletion.decline': 'Deletion request declined', 'data.export': 'Own data downloaded',
    'user.approve': 'User approved', 'user.activate': 'User activated', 'user.deactivate': 'User deactivated',
    'user.promote': 'Superuser rights granted', 'user.demote': 'Superuser rights removed', 'user.rename': 'User renamed',
    'password.change': 'Password changed', 'password.require': 'New password required', 'reset_link.add': 'Reset link created', 'reset_link.use': 'Reset link used',
    'reset_link.expire': 'Reset link expired', 'invitation.add': 'Invitation created', 'invitation.use': 'Invitation used',
    'invitation.revoke': 'Invitation revoked', 'key.add': 'API key created', 'key.delete': 'API key deleted',
    'store_key.save': 'Store key saved', 'site.enter': 'Site opened', setup: 'First superuser created',
    backup: 'Backup created', restore: 'Backup restored', import: 'Accounts imported', export: 'Accounts exported',
    'factor.add': 'Second factor added', 'factor.remove': 'Second factor removed', 'factor.rename': 'Second factor renamed',
    'recovery_codes.add': 'Recovery codes made', move: 'Database moved', 'secret.rotate': 'Secret key rotated', 'access.refuse': 'Access denied',
    'name.release': 'Name released',
  },
  /** The fields that a change of an account names. */
  fields: {
    username: 'name', profile_image: 'picture', password: 'password', is_active: 'active', is_superuser: 'superuser',
    last_login_at: 'last sign-in', must_change_password: 'must change password',
  },
};

export const server = {
  title: 'Server',
  general: 'General',
  version: 'Version',
  started: 'Started',
  url: 'URL',
  health: 'Health',
  healthy: 'Healthy',
  backups: 'Backups',
  make: 'Make backup',
  made: (name) => `The backup ${name} was made.`,
  schedule: 'Schedule',
  keep: 'Backups to keep',
  last: 'Last backup',
  succeeded: 'Succeeded',
  failed: 'Failed',
  noBackups: 'No backups.',
  download: 'Download',
  downloadOne: (name) => `Download ${name}`,
  database: 'Database',
  file: 'File',
  size: 'Size',
  log: 'Write-ahead log',
  bytes: (count) => `${count} bytes`,
  schema: 'Schema version',
  users: 'Users',
  userCounts: (active, waiting, inactive) => `${active} active, ${waiting} waiting, ${inactive} inactive`,
  sessions: 'Sessions',
  queues: 'Queues',
  hashing: 'Passwords to hash',
  reads: 'Database reads',
  writes: 'Database writes',
  settings: 'Settings',
  unset: 'not set',
};

export const fields = {
  show: 'Show',
  hide: 'Hide',
  showPassword: (label) => `Show ${label.toLowerCase()}`,
  hidePassword: (label) => `Hide ${label.toLowerCase()}`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
};

export const docs = {
  title: 'API',
  console: 'Console',
  version: (version) => `Version ${version}.`,
  machine: 'Machine-readable description: ',
  credentials: 'Credentials',
  asUser: 'Requests use your console session.',
  anonymous: 'Requests are anonymous. Sign in to the console or enter an API key.',
  apiKey: 'API key',
  secretHint: 'Used instead of your session. It is forgotten when you close this page.',
  token: 'Access token',
  tokenHint: 'Used instead of the API key.',
  navigation: 'Main',
  filter: 'Filter operations',
  noneMatch: 'No operations match.',
  link: 'Link to this operation',
  example: 'Example',
  or: ' or ',
  needsCredential: 'Needs an access token or an API key.',
  body: 'Body',
  jsonBody: 'Body (JSON)',
  responses: 'Responses',
  response: 'Response',
  try: 'Try it',
  tryOne: (method, path) => `Try ${method} ${path}`,
  send: 'Send',
  invalidJson: (why) => `The body isn’t valid JSON: ${why}`,
  milliseconds: (n) => `${n} ms`,
  required: 'required',
  maxLength: (n) => `, at most ${n} characters`,
  listOf: (kind) => `list of ${kind}`,
  anyOf: (kinds) => kinds.join(' or '),
  anything: 'anything',
  otherTag: 'Other',
};
