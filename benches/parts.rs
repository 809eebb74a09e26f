//! The parts that every request is made of, each by itself: `cargo bench --bench parts`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark, not a library")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use usher::auth::password_policy as rules;
use usher::auth::token::{Claims, TokenKind, TokenSigner};
use usher::domain::clock::{Clock, Timestamp};
use usher::domain::secret::{PasswordHash, Secret};
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::user_index::search::{self, SharedUserIndex};
use usher::store::user_list::UserQuery;
use usher::store::{Db, Options, StoreError, sessions, users};
use uuid::Uuid;

fn user(name: &str, now: Timestamp) -> User {
    User {
        id: Uuid::new_v4(),
        username: Username::parse(name).unwrap(),
        profile_image: None,
        store_api_key: None,
        is_active: true,
        is_superuser: false,
        create_at: now,
        updated_at: now,
        last_login_at: Some(now),
        optins: None,
        must_change_password: false,
    }
}

fn token_check(criterion: &mut Criterion) {
    let tokens = TokenSigner::new(&Secret::new("0123456789abcdef0123456789abcdef"));
    let now = Clock::system().now();
    let claims = Claims {
        sub: Uuid::new_v4(),
        kind: TokenKind::Access,
        exp: now.timestamp() + 3600,
        iat: now.timestamp(),
        sid: Uuid::new_v4(),
        generation: None,
    };
    let token = tokens.sign(&claims);
    criterion.bench_function("token check", |bencher| {
        bencher.iter(|| tokens.check(black_box(token.expose()), TokenKind::Access, now).unwrap());
    });
}

fn body_checks(criterion: &mut Criterion) {
    let body = r#"{"username":"Ada Lovelace","password":"quiet-otter-7","is_active":true}"#;
    criterion.bench_function("body checks: JSON, name, password", |bencher| {
        bencher.iter(|| {
            let fields: serde_json::Value = serde_json::from_str(black_box(body)).unwrap();
            let name = Username::parse(fields["username"].as_str().unwrap()).unwrap();
            rules::check_for(&Secret::new(fields["password"].as_str().unwrap()), 8, &name).unwrap();
            name
        });
    });
    criterion.bench_function("body checks: a name beyond ASCII", |bencher| {
        bencher.iter(|| Username::parse(black_box("Žofie Łucja")).unwrap());
    });
}

/// A database on the disk with a thousand users.
fn database(dir: &std::path::Path, runtime: &tokio::runtime::Runtime) -> (Db, Vec<User>) {
    let db = Db::open(&Options { data_dir: dir.to_owned(), readers: 1, create: true }).unwrap();
    let now = Clock::system().now();
    let people: Vec<User> = (0..1000).map(|number| user(&format!("person {number}"), now)).collect();
    let added = people.clone();
    let add = db.write::<(), StoreError, _>(move |connection| {
        added.iter().try_for_each(|user| users::insert(connection, user, &PasswordHash::new("x")))
    });
    runtime.block_on(add).unwrap();
    (db, people)
}

fn reads(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (db, people) = database(dir.path(), &runtime);
    let (id, now) = (people[500].id, Clock::system().now());
    criterion.bench_function("point read: a user by id, with the hop to the reader", |bencher| {
        bencher.iter(|| runtime.block_on(db.read(move |connection| users::find(connection, id))).unwrap());
    });
    criterion.bench_function("point read: user and session, a thousand within one hop", |bencher| {
        bencher.iter(|| {
            let thousand = db.read(move |connection| {
                (0..1000).try_for_each(|_| sessions::authenticate(connection, id, Uuid::nil(), now).map(drop))
            });
            runtime.block_on(thousand).map_err(|error: StoreError| error.described()).unwrap();
        });
    });
    let index = SharedUserIndex::default();
    for search in [None, Some("9".to_owned())] {
        let name = if search.is_some() { "list: search among a thousand" } else { "list: the first ten" };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let page = UserQuery { skip: 0, limit: 10, search: search.clone(), ..Default::default() };
                let index = index.clone();
                runtime.block_on(db.read(move |connection| search::list(connection, &index, &page))).unwrap()
            });
        });
    }
    db.close();
}

fn commits(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (db, people) = database(dir.path(), &runtime);
    let mut group = criterion.benchmark_group("commit, on the disk before the answer");
    group.sample_size(20);
    for writes in [1, 16, 256] {
        group.bench_with_input(BenchmarkId::from_parameter(writes), &writes, |bencher, &writes| {
            bencher.iter_batched(
                || people[..writes].to_vec(),
                |people| {
                    let all = people.into_iter().map(|person| {
                        db.write::<(), StoreError, _>(move |connection| users::update(connection, &person, &person))
                    });
                    runtime.block_on(async {
                        for done in futures_util::future::join_all(all).await {
                            done.unwrap();
                        }
                    });
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    db.close();
}

criterion_group!(parts, token_check, body_checks, reads, commits);
criterion_main!(parts);
