use super::*;

const THREADS: usize = 2;
/// The queue holds 64 of these.
const TYPICAL: Duration = Duration::from_micros(7_000_000 / 64 * 2);

/// Without threads, so that jobs stay in the queue.
fn without_threads() -> Shared {
    Shared::new(THREADS, TYPICAL)
}

fn push(shared: &Shared, address: &str, since: Instant) {
    let from = Requester::from(address.parse::<IpAddr>().unwrap());
    shared.lock().others.push_back(Waiting { from, since, job: Box::new(|| true) });
}

fn fill(shared: &Shared, address: &str, is_known: bool) -> usize {
    let from = Requester { address: client_network(address.parse().unwrap()), is_known };
    (0..MAX_QUEUED).take_while(|_| shared.enqueue(from, Box::new(|| true)).is_ok()).count()
}

#[test]
fn one_network_fills_at_most_half_of_the_queue_and_a_full_queue_refuses_at_once() {
    let shared = without_threads();
    assert_eq!(fill(&shared, "2001:db8::1", false), 32);
    assert_eq!(fill(&shared, "2001:db8::2", false), 0);
    assert_eq!(fill(&shared, "192.0.2.1", false), 16);
    assert_eq!(fill(&shared, "192.0.2.2", false), 0);
    while shared.lock().len() > 16 {
        drop(shared.next());
    }
    assert_eq!(fill(&shared, "192.0.2.2", false), 32);
    assert_eq!(shared.lock().per_network.len(), 2);
}

#[test]
fn a_quarter_of_the_queue_is_kept_for_requesters_that_an_account_is_known_from() {
    let shared = without_threads();
    let strangers: usize = (1..=8).map(|n| fill(&shared, &format!("192.0.2.{n}"), false)).sum();
    assert_eq!(strangers, 48);
    assert_eq!(fill(&shared, "192.0.2.1", true), 16, "known, though strangers flood from the same network");
    assert_eq!(fill(&shared, "192.0.2.9", true), 0);
    for half in 0..2 {
        (0..16).for_each(|_| drop(shared.next()));
        let queue = shared.lock();
        assert_eq!((queue.known.len(), queue.others.len()), (8 - 8 * half, 40 - 8 * half), "they take turns");
    }
    while shared.lock().len() > 0 {
        drop(shared.next());
    }
    assert_eq!(shared.lock().per_network.len(), 0);
    assert_eq!(fill(&shared, "192.0.2.1", true), 48, "a network's half besides what is kept");
    assert_eq!(fill(&shared, "192.0.2.2", true), 16);
}

#[test]
fn a_slower_machine_accepts_fewer_jobs() {
    let shared = without_threads();
    let start = Instant::now();
    push(&shared, "192.0.2.9", start);
    for second in 0..20 {
        shared.lock().record_end(start + Duration::from_secs(second));
    }
    let now = start + Duration::from_secs(19);
    let room = shared.lock().room(now);
    assert!((6..=8).contains(&room), "{room}");
    // No job has ended for four seconds.
    assert_eq!(shared.lock().room(now + Duration::from_secs(3)), 2);
}

#[test]
fn idle_times_dont_change_the_estimated_rate() {
    let shared = without_threads();
    let start = Instant::now();
    for hour in 0..5 {
        shared.lock().record_end(start + Duration::from_secs(3600 * hour));
    }
    assert_eq!(shared.lock().room(start + Duration::from_secs(20_000)), 64);
}

#[tokio::test]
async fn jobs_run_unless_their_caller_stopped_waiting() {
    let gate = HashingQueue::start(1, TYPICAL).unwrap();
    let here = Requester::from(IpAddr::from([127, 0, 0, 1]));
    assert_eq!(gate.run(here, || 7).await, Ok(7));
    let (per_network, holds) = std::sync::mpsc::channel::<()>();
    let first = gate.run(here, move || holds.recv().is_ok());
    let (touch, touched) = std::sync::mpsc::channel::<()>();
    let given_up = gate.run(here, move || touch.send(()).is_ok());
    let give_up = async {
        assert!(tokio::time::timeout(Duration::from_millis(5), given_up).await.is_err());
        drop(per_network);
    };
    assert_eq!(tokio::join!(first, give_up), (Ok(false), ()));
    assert_eq!(gate.run(here, || 8).await, Ok(8));
    assert!(touched.try_recv().is_err());
}
