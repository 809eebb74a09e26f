//! Kills the real program under mixed load and restarts it, repeatedly. Acknowledged changes must persist, and deleted
//! or ended things must stay so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Client, new_user};
use super::disk::Seeded;
use crate::support::{Program, Response, ServerProcess};

/// The number of concurrent clients.
const CLIENTS: u64 = 4;

/// Retries while the hashing queue is full. Such a response changes nothing.
fn unless_busy(mut ask: impl FnMut() -> Option<Response>) -> Option<Response> {
    for _ in 0..600 {
        let answer = ask()?;
        if answer.status != 503 {
            return Some(answer);
        }
    }
    panic!("busy for a minute")
}

/// The known state of a value: the last acknowledged one, and one that was sent without a response.
#[derive(Clone, Debug)]
struct Fact<T> {
    certain: T,
    perhaps: Option<T>,
}

impl<T: Clone + PartialEq + std::fmt::Debug> Fact<T> {
    fn new(certain: T) -> Self {
        Self { certain, perhaps: None }
    }

    /// Records a sent `value`. It becomes `certain` with the response.
    fn ask(&mut self, value: T) {
        self.perhaps = Some(value);
    }

    fn acknowledged(&mut self) {
        if let Some(value) = self.perhaps.take() {
            self.certain = value;
        }
    }

    fn settle(&mut self, found: T, what: &str) {
        assert!(found == self.certain || Some(&found) == self.perhaps.as_ref(), "{what}: {found:?}, known: {self:?}");
        *self = Self::new(found);
    }
}

/// A user, as known to the client that created it.
struct Person {
    /// Known after the response to the sign-up.
    id: Option<String>,
    exists: Fact<bool>,
    picture: Fact<String>,
    password: Fact<String>,
    /// Access tokens, and whether their session is valid.
    tokens: Vec<(String, Fact<bool>)>,
    /// Whether the password was changed since the last check.
    changed: bool,
}

/// The record of one client's changes, in all cycles.
#[derive(Default)]
struct Ledger {
    people: BTreeMap<String, Person>,
    acknowledged: BTreeMap<&'static str, u64>,
    /// Receives a message for each acknowledged change.
    told: Option<Sender<()>>,
}

impl Ledger {
    fn count(&mut self, what: &'static str) {
        *self.acknowledged.entry(what).or_default() += 1;
        // The receiver kills the server after a number of changes.
        self.told.as_ref().map(|told| told.send(()));
    }

    /// Makes changes until the server is gone.
    fn work(&mut self, mine: u64, admin: &mut Client, seeded: &mut Seeded, stop: &AtomicBool) -> Option<()> {
        while !stop.load(Ordering::Relaxed) {
            let living: Vec<String> = self
                .people
                .iter()
                .filter(|(_, person)| person.id.is_some() && person.exists.certain)
                .map(|(name, _)| name.clone())
                .collect();
            if living.len() < 3 {
                self.add(format!("c{mine}-{:x}", seeded.next()), admin)?;
                continue;
            }
            let name = &living[usize::try_from(seeded.next()).unwrap_or(0) % living.len()];
            match seeded.next() % 20 {
                0 => self.add(format!("c{mine}-{:x}", seeded.next()), admin)?,
                1 | 2 => self.change_password(name, &format!("password {:x}", seeded.next()), admin)?,
                3 | 4 => self.sign_in(name, admin)?,
                5..=7 => self.sign_out(name, admin)?,
                8 => self.delete(name, admin)?,
                _ => self.change_picture(name, &format!("picture {:x}", seeded.next()), admin)?,
            }
        }
        Some(())
    }

    fn add(&mut self, name: String, admin: &mut Client) -> Option<()> {
        let mut exists = Fact::new(false);
        exists.ask(true);
        let person = Person {
            id: None,
            exists,
            picture: Fact::new(String::new()),
            password: Fact::new("first password".to_owned()),
            tokens: Vec::new(),
            changed: true,
        };
        let person = self.people.entry(name.clone()).or_insert(person);
        let answer =
            unless_busy(|| admin.json("POST", "/api/v1/users/", &new_user(&name, "first password")))?.expect(201);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        person.exists.acknowledged();
        // New users wait for approval.
        admin.json("PATCH", &format!("/api/v1/users/{id}"), &json!({ "is_active": true }))?.expect(200);
        person.id = Some(id);
        self.count("creates");
        self.count("patches");
        Some(())
    }

    fn person(&mut self, name: &str) -> (&mut Person, String) {
        let person = self.people.get_mut(name).unwrap();
        let path = format!("/api/v1/users/{}", person.id.as_deref().unwrap_or_default());
        (person, path)
    }

    fn change_picture(&mut self, name: &str, picture: &str, admin: &mut Client) -> Option<()> {
        let (person, path) = self.person(name);
        person.picture.ask(picture.to_owned());
        admin.json("PATCH", &path, &json!({ "profile_image": picture }))?.expect(200);
        person.picture.acknowledged();
        self.count("patches");
        Some(())
    }

    fn change_password(&mut self, name: &str, password: &str, admin: &mut Client) -> Option<()> {
        let (person, path) = self.person(name);
        person.changed = true;
        person.password.ask(password.to_owned());
        for (_, lives) in &mut person.tokens {
            lives.ask(false);
        }
        unless_busy(|| admin.json("PATCH", &path, &json!({ "password": password })))?.expect(200);
        person.password.acknowledged();
        for (_, lives) in &mut person.tokens {
            lives.acknowledged();
        }
        self.count("password changes");
        Some(())
    }

    fn sign_in(&mut self, name: &str, admin: &mut Client) -> Option<()> {
        let (person, _) = self.person(name);
        let answer = unless_busy(|| admin.login(name, &person.password.certain))?.expect(200).json();
        person.tokens.push((answer["access_token"].as_str().unwrap().to_owned(), Fact::new(true)));
        self.count("log-ins");
        Some(())
    }

    fn sign_out(&mut self, name: &str, admin: &Client) -> Option<()> {
        let (person, _) = self.person(name);
        let Some((token, lives)) = person.tokens.iter_mut().find(|(_, lives)| lives.certain) else { return Some(()) };
        lives.ask(false);
        let mut client = admin.again(Some(token.clone()));
        client.ask("POST", "/api/v1/logout")?.expect(200);
        lives.acknowledged();
        self.count("log-outs");
        Some(())
    }

    fn delete(&mut self, name: &str, admin: &mut Client) -> Option<()> {
        let (person, path) = self.person(name);
        person.exists.ask(false);
        for (_, lives) in &mut person.tokens {
            lives.ask(false);
        }
        admin.ask("DELETE", &path)?.expect(200);
        person.exists.acknowledged();
        for (_, lives) in &mut person.tokens {
            lives.acknowledged();
        }
        self.count("deletes");
        Some(())
    }

    /// Compares the record with the restarted server.
    fn check(&mut self, users: &BTreeMap<String, Value>, admin: &mut Client) {
        for (name, person) in &mut self.people {
            let found = users.get(name);
            person.exists.settle(found.is_some(), name);
            for (token, lives) in &mut person.tokens {
                let mut client = admin.again(Some(token.clone()));
                let answer = client.get("/api/v1/users/whoami").unwrap();
                assert!([200, 401].contains(&answer.status), "{answer:?}");
                lives.settle(answer.status == 200, &format!("a session of {name}"));
            }
            // Ended sessions stay in the record for one check.
            person.tokens.retain(|(_, lives)| lives.certain);
            let Some(found) = found else { continue };
            let picture = found["profile_image"].as_str().unwrap_or_default();
            person.picture.settle(picture.to_owned(), name);
            person.id = Some(found["id"].as_str().unwrap().to_owned());
            let path = format!("/api/v1/users/{}", found["id"].as_str().unwrap());
            if found["is_active"] == false {
                // The server was killed between sign-up and approval, so this user doesn't count.
                admin.json("PATCH", &path, &json!({ "is_active": true })).unwrap();
            }
            if std::mem::take(&mut person.changed) {
                let candidates = [Some(person.password.certain.clone()), person.password.perhaps.clone()];
                let right = candidates
                    .into_iter()
                    .flatten()
                    .find(|password| unless_busy(|| admin.login(name, password)).unwrap().status == 200)
                    .unwrap_or_else(|| panic!("no password of {name} is right"));
                person.password.settle(right, name);
            }
        }
        self.people.retain(|_, person| person.exists.certain);
    }
}

fn everybody(admin: &mut Client) -> BTreeMap<String, Value> {
    let answer = admin.get("/api/v1/users/?limit=1000").unwrap().expect(200).json();
    let users = answer["users"].as_array().unwrap();
    assert_eq!(answer["total_count"], users.len());
    users.iter().map(|user| (user["username"].as_str().unwrap().to_owned(), user.clone())).collect()
}

/// The program with cheap sign-ins.
fn quick(dir: &Arc<TempDir>) -> Program {
    Program::in_dir(dir, &[]).superuser().env("USHER_THROTTLE", "false").env("USHER_LOG", "warn")
}

#[test]
fn a_killed_server_keeps_every_acknowledged_change() {
    let (cycles, begun) = (super::long_or("USHER_KILLS", 3_u64), Instant::now());
    let dir = Arc::new(TempDir::new().unwrap());
    let start = || quick(&dir).start();
    let mut ledgers: Vec<Ledger> = (0..CLIENTS).map(|_| Ledger::default()).collect();
    let mut server: ServerProcess = start();
    // One session for all cycles: it was acknowledged, so it must stay valid.
    let mut admin = Client::admin(server.address);
    for cycle in 0..cycles {
        let stop = AtomicBool::new(false);
        let (told, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            for (mine, ledger) in (0..).zip(&mut ledgers) {
                let (mut admin, stop) = (admin.again(admin.token.clone()), &stop);
                ledger.told = Some(told.clone());
                // Ends with a connection error when the server is killed, as expected.
                scope.spawn(move || ledger.work(mine, &mut admin, &mut Seeded(cycle * CLIENTS + mine), stop));
            }
            drop(told);
            // Kills the server under load.
            let many = usize::try_from(40 + Seeded(cycle).next() % 60).unwrap();
            assert_eq!(heard.iter().take(many).count(), many, "the clients met something else than a killed server");
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        server = start();
        admin = Client::with_token(server.address, admin.token);
        let users = everybody(&mut admin);
        for ledger in &mut ledgers {
            ledger.check(&users, &mut admin);
        }
        super::assert_sound(&server.data_dir());
    }
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for ledger in &ledgers {
        for (what, count) in &ledger.acknowledged {
            *totals.entry(what).or_default() += count;
        }
    }
    println!("{cycles} kills in {:.0?}; acknowledged and still true: {totals:?}", begun.elapsed());
    assert!(totals.values().sum::<u64>() > 0);
}
