//! PostgreSQL nodes in network namespaces of their own, connected with usher by a switch that can drop packets
//! silently.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::postgres::{connect, new_data_directory, programs, shell};

/// Builds the network, and then runs each line of standard input. Its arguments are this side's interface, the start of
/// all addresses, this side's last number, and those of the nodes. A namespace and its interfaces end with the last
/// process in it, however that ends. Fixed neighbors keep the system from noticing silence by ARP.
const BUILD: &str = r#"
set -e
namespace() { unshare --net sh -c 'sleep infinity > /dev/null & echo $!'; }
switch() { nsenter --net="/proc/$switch/ns/net" ip "$@"; }
here=$1 start=$2 first=$3
shift 3
switch=$(namespace)
all=$switch
trap 'kill $all' EXIT
switch link add name switch type bridge
switch link set switch up
ip link add name "$here" address "02:00:00:00:00:$first" type veth peer name "p$first" netns "$switch"
ip address add "$start$first/24" dev "$here"
ip link set "$here" up
switch link set "p$first" master switch up
for node in "$@"; do
    inner=$(namespace)
    all="$all $inner"
    switch link add name "p$node" type veth peer name eth0 address "02:00:00:00:00:$node" netns "$inner"
    switch link set "p$node" master switch up
    ip neighbor add "$start$node" lladdr "02:00:00:00:00:$node" dev "$here" nud permanent
    nsenter --net="/proc/$inner/ns/net" sh -e << END
ip link set lo up
ip address add $start$node/24 dev eth0
ip link set eth0 up
for other in $first $*; do
    [ \$other = $node ] || ip neighbor add $start\$other lladdr 02:00:00:00:00:\$other dev eth0 nud permanent
done
END
    echo "$inner"
done
while read -r command; do
    eval "$command"
    echo done
done
"#;
/// Runs PostgreSQL until standard input ends: the standby of the host `$1`, or without it a primary with a copy of the
/// data directory `$2`. Replication goes on soon after the network does; with the limits of PostgreSQL and of TCP, that
/// takes 25 seconds.
const NODE: &str = r#"
set -e
dir=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)
if [ -n "$1" ]; then
    "$0/pg_basebackup" -d "host=$1 user=usher tcp_user_timeout=2000" -D "$dir/data" -R
else
    cp -a "$2" "$dir/data"
    echo 'host all all samenet trust' >> "$dir/data/pg_hba.conf"
    echo 'host replication all samenet trust' >> "$dir/data/pg_hba.conf"
fi
"$0/postgres" -D "$dir/data" -c listen_addresses='*' -c unix_socket_directories="$dir" -c shared_buffers=16MB \
    -c wal_sender_timeout=3s -c wal_receiver_timeout=3s -c wal_retrieve_retry_interval=100ms >> "$dir/log" 2>&1 &
until "$0/pg_isready" -q -h "$dir"; do sleep 0.05; done
echo "$dir"
cat > /dev/null
# At once: otherwise it waits for a standby that the network doesn't reach.
kill -QUIT $! 2> /dev/null || true
wait $! || true
rm -rf "$dir"
"#;
/// Ends the connections of the PostgreSQL in the directory `$1`, and then itself, as Patroni does with a leader that
/// may no longer lead.
const STOP: &str = r#"kill -INT $(head -n 1 "$1/data/postmaster.pid")"#;

/// A PostgreSQL in a namespace.
pub struct Node {
    pub host: String,
    /// Its data, and its socket, which a partition doesn't reach.
    dir: String,
    runner: Child,
    number: u32,
}

/// The nodes and the network between them and usher.
pub struct Network {
    pub nodes: Vec<Node>,
    switch: Child,
    commands: Option<ChildStdin>,
    done: Lines<BufReader<ChildStdout>>,
    /// The number of this side's port.
    here: u32,
}

impl Network {
    /// Starts a primary and as many standbys.
    pub fn start(standbys: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Networks of other test programs, and others of this one, have other addresses. The range is for tests of
        // networks.
        let start = format!("198.{}.{}.", 18 + count % 2, std::process::id() % 64 * 4 + count / 2);
        let here = 10;
        let numbers: Vec<u32> = (here + 1..=here + 1 + standbys).collect();
        let mut switch = Command::new("sh");
        switch.args(["-c", BUILD, "sh", &format!("us{}-{count}", std::process::id()), &start, &here.to_string()]);
        switch.args(numbers.iter().map(ToString::to_string));
        let mut switch = switch.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, mut done) = (switch.stdin.take(), BufReader::new(switch.stdout.take().unwrap()).lines());
        let mut nodes = Vec::new();
        let mut primary = String::new();
        let namespaces: Vec<String> = numbers.iter().map(|_| done.next().unwrap().unwrap()).collect();
        for (number, namespace) in numbers.into_iter().zip(namespaces) {
            let node = Node::start(&namespace, &primary, format!("{start}{number}"), number);
            primary.clone_from(&nodes.first().unwrap_or(&node).host);
            nodes.push(node);
        }
        Self { nodes, switch, commands, done, here }
    }

    /// The address of a database on all nodes.
    pub fn address(&self, database: &str) -> String {
        let hosts: Vec<&str> = self.nodes.iter().map(|node| node.host.as_str()).collect();
        format!("postgres://usher@{}/{database}?sslmode=disable", hosts.join(","))
    }

    fn run(&mut self, command: &str) {
        writeln!(self.commands.as_ref().unwrap(), "{command}").unwrap();
        assert_eq!(self.done.next().unwrap().unwrap(), "done");
    }

    /// Drops all packets to and from a node.
    pub fn cut_off(&mut self, node: usize) {
        self.run(&format!("switch link set p{} nomaster", self.nodes[node].number));
    }

    /// Connects a node again.
    pub fn connect(&mut self, node: usize) {
        self.run(&format!("switch link set p{} master switch", self.nodes[node].number));
    }

    fn isolate(&mut self, port: u32, state: &str) {
        self.run(&format!("switch link set dev p{port} type bridge_slave isolated {state}"));
    }

    /// Drops the packets between the first two nodes. usher reaches both.
    pub fn cut_nodes(&mut self) {
        self.isolate(self.nodes[0].number, "on");
        self.isolate(self.nodes[1].number, "on");
    }

    /// Drops the packets between usher and the first node, after [`Self::cut_nodes`]. The nodes reach each other.
    pub fn cut_usher_instead(&mut self) {
        self.isolate(self.here, "on");
        self.isolate(self.nodes[1].number, "off");
    }

    /// Drops no packets any more.
    pub fn heal(&mut self) {
        for port in [self.here, self.nodes[0].number, self.nodes[1].number] {
            self.isolate(port, "off");
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.nodes.clear();
        drop(self.commands.take());
        let _ = self.switch.wait();
    }
}

impl Node {
    fn start(namespace: &str, primary: &str, host: String, number: u32) -> Self {
        let inner = shell();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{namespace}/ns/net")).arg(inner.get_program()).args(inner.get_args());
        command.args(["-c", NODE]).arg(programs()).args([primary, &new_data_directory()]).current_dir("/");
        let mut runner = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut dir = String::new();
        BufReader::new(runner.stdout.take().unwrap()).read_line(&mut dir).unwrap();
        assert!(!dir.is_empty(), "PostgreSQL doesn't start");
        Self { host, dir: dir.trim().to_owned(), runner, number }
    }

    /// A connection that partitions don't touch.
    pub fn client(&self, database: &str) -> postgres::Client {
        connect(&format!("postgres://usher@{}/{database}", self.dir.replace('/', "%2F")))
    }

    /// Stops PostgreSQL.
    pub fn stop(&self) {
        assert!(shell().args(["-c", STOP, "sh", &self.dir]).status().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.runner.stdin.take());
        let _ = self.runner.wait();
    }
}
