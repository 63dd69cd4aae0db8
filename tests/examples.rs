//! The examples, run as a newcomer runs them: their programs, what they print, and that they end.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long an example may take. Each ends within a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_client_that_knows_an_address_alone_lists_and_calls() {
    let expected = r#"Bank: Keeps accounts.
  idem balance(account: u64) -> Result<u128, BankError>  // What is in an account.
  persist transfer(order: Transfer) -> Result<string, BankError>  // Moves all there is.
340282366920938463463374607431768211455
failed: {"NoAccount":8}
"moved from 7 to 9: rent"
`Bank.transfer`: $.order.to: expected u64, got "x"
"#;
    assert_eq!(succeed("describe", &[]), expected);
}

#[test]
fn hello_says_hello() {
    assert_eq!(succeed("hello", &[]), "Hello, world!\n");
}

#[test]
fn the_tour_shows_what_happens() {
    let printed = succeed("tour", &[]);
    in_order(
        &printed,
        &[
            "started a server: process ",
            "account 7 holds 1000.00",
            "250.00 sent from 7 to 8: 7 holds 750.00",
            "  feed: 250.00 went from 7 to 8",
            "sending 9999.00 more: account 7 holds 750.00, not 9999.00 [user; ran: Yes]",
            "asking for account 4711: there is no account 4711 [user; ran: Yes]",
            "  feed: a payment of 50.00 from 9 to 10 started",
            "cut the link in the middle of a payment",
            "its answer came over the next link: 9 holds 950.00",
            "  feed: 50.00 went from 9 to 10",
            "and so did the feed's event: it is the same session",
            "  feed: a payment of 100.00 from 7 to 8 started",
            "gave up waiting: whether it was made is not known here",
            "asked again under its id: 7 holds 650.00",
            "and once more: 7 holds 650.00",
            "  feed: 100.00 went from 7 to 8",
            "it was made once: 7 holds 650.00",
            "reading examples/data/transactions.csv",
            "  the server has booked 9000 rows",
            "  left out line 1502: it has 5 fields, not 6",
            "  left out line 3338: `cents` is `12.50`, not a whole number",
            "  left out line 5007: `date` is `2024-02-30`, not a day",
            "  left out line 7787: `from` is `?`, not a whole number",
            "  left out line 10012: `cents` is `-400`, not a whole number",
            "11995 rows, 13283250.84 in all, 5 lines left out",
            " rows/s",
            "what was sent and what was booked are the same",
            "  feed: 11995 rows were imported, 13283250.84 in all",
            "  feed: the audit of 7 started",
            "dropped the call",
            "  feed: the audit of 7 was abandoned",
            "its handler had stopped ",
            "an audit in 50 ms: Bank.audit at tcp://",
            ": the deadline passed; whether the call ran is unknown [deadline-exceeded; ran: Unknown]",
            "  feed: the audit of 9 was abandoned",
            "the turnover of month 13: Bank.turnover at tcp://",
            ": the handler panicked; the server's log says where [panicked; ran: Unknown]",
            "the next call is answered",
            "opening the service `Weather`: tcp://",
            " refused: no service `Weather` here; served: Bank",
            "connecting where nobody listens: no link to tcp://",
            "server: a handler panicked: ",
            "server: shut down: 1 session open, 0 handlers cut off",
            "killed a server in the middle of an audit",
            "[indeterminate; ran: Unknown]",
            "[not-sent; ran: No]",
            "the feed: a channel of Bank.watch at tcp://",
        ],
    );
}

#[test]
fn the_tour_names_bad_lines_and_goes_on() {
    for (name, newline) in [("lf", "\n"), ("crlf", "\r\n")] {
        let lines = [
            b"id,from,to,cents,date,text".as_slice(),
            b"1,1,2,100,2024-01-01,well",
            b"",
            b"2,1,2",
            b"3,1,2,x,2024-01-01,\"two",
            b"lines\"",
            b"4,1,2,5,2024-01-01,\xff\xfe",
            b"5,1,2,18446744073709551615,2024-01-01,too much",
            b"6,2,1,50,2023-02-28,well",
        ];
        let file = Temporary::new(&format!("{name}.csv"), &lines.join(newline.as_bytes()));
        let printed = succeed("tour", &[&file.0]);
        in_order(
            &printed,
            &[
                "  left out line 4: it has 3 fields, not 6",
                "  left out line 5: `cents` is `x`, not a whole number",
                "  left out line 7: field 6 is not UTF-8",
                "  left out line 8: `cents` is 18446744073709551615, more than 1000000000000",
                "2 rows, 1.50 in all, 4 lines left out",
            ],
        );
    }
}

#[test]
fn the_tour_says_what_is_wrong_with_a_file() {
    let missing = Path::new("examples/data/missing.csv");
    in_order(&fail("tour", &[missing]), &["tour: cannot read examples/data/missing.csv: "]);
    let wrong = Path::new("Cargo.toml");
    in_order(&fail("tour", &[wrong]), &["tour: Cargo.toml, line 1: the header is `[workspace]`, not `id,from,"]);
    in_order(&fail("tour", &[Path::new("--no-such-option")]), &["usage: tour [FILE.csv]"]);
}

#[test]
fn chat_carries_everything_to_everybody() {
    let printed = succeed("chat", &[]);
    in_order(
        &printed,
        &[
            "Eun-ji entered and finds: Anna, Béla, Chloé, Dmitri, Eun-ji",
            "another Anna is refused: somebody is called Anna already",
            "  (Eun-ji left)",
            "4 guests heard the same 11 lines in the same order",
            "the room closed on 4 guests, 0 calls cut off",
        ],
    );
    for name in ["Anna", "Béla", "Chloé", "Dmitri", "Eun-ji"] {
        in_order(
            &printed,
            &[&format!("  {name}: I am {name}."), &format!("  {name}: And this is {name}'s second line.")],
        );
    }
}

/// A guest is interrupted, then the room: each time the others are told at once.
#[cfg(unix)]
#[test]
fn a_chat_ends_in_order_by_ctrl_c() {
    let mut room = Running::start("chat", &["--serve".as_ref(), "127.0.0.1:0".as_ref()]);
    let opened = room.line("the room is open at ");
    let address = opened["the room is open at ".len()..].split(';').next().expect("the address").to_owned();
    let join = |name: &str| {
        let mut guest = Running::start("chat", &["--join".as_ref(), address.as_ref(), name.as_ref()]);
        guest.line("in the room: ");
        guest
    };
    let mut anna = join("Anna");
    let mut bela = join("Béla");
    assert_eq!(anna.line("(Béla"), "(Béla came)");
    bela.interrupt();
    assert!(bela.ended_well());
    assert_eq!(anna.line("(Béla left"), "(Béla left)");
    room.interrupt();
    assert_eq!(room.line("the room closed"), "the room closed on 1 guests, 0 calls cut off");
    assert!(room.ended_well());
    assert!(!anna.ended_well(), "the room is gone, and she did not leave it");
}

/// The file is a pipe, so that the import is not over before it is interrupted.
#[cfg(unix)]
#[test]
fn the_tour_ends_in_order_by_ctrl_c_in_the_middle_of_an_import() {
    use std::io::Write;

    let pipe = Temporary(std::env::temp_dir().join(format!("vox-examples-{}-pipe.csv", std::process::id())));
    assert!(Command::new("mkfifo").arg(&pipe.0).status().expect("a pipe can be made").success());
    let mut tour = Running::start("tour", &[&pipe.0]);
    let mut file = std::fs::OpenOptions::new().write(true).open(&pipe.0).expect("the tour reads it");
    writeln!(file, "id,from,to,cents,date,text").expect("it reads");
    for id in 0..4_000 {
        writeln!(file, "{id},1,2,100,2024-01-01,well").expect("it reads");
    }
    tour.line("  the server has booked 3000 rows");
    tour.interrupt();
    tour.line("Ctrl-C");
    tour.line("server: an import was cut short after ");
    assert_eq!(tour.line("server: shut down"), "server: shut down: 0 session open, 0 handlers cut off");
    drop(file);
    assert!(tour.ended_well());
}

/// An example that runs beside the test. Dropping it kills it.
#[cfg(unix)]
struct Running {
    child: Child,
    printed: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

#[cfg(unix)]
impl Running {
    fn start(example: &str, arguments: &[&Path]) -> Self {
        let mut child = Command::new(program(example))
            .args(arguments)
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let printed = std::io::BufReader::new(child.stdout.take().expect("piped"));
        Self { child, printed: std::io::BufRead::lines(printed) }
    }

    /// The next line that begins so.
    fn line(&mut self, begin: &str) -> String {
        self.printed
            .by_ref()
            .map(|line| line.expect("examples print text"))
            .find(|line| line.starts_with(begin))
            .unwrap_or_else(|| panic!("it ended before it printed `{begin}`"))
    }

    /// What Ctrl-C does.
    fn interrupt(&self) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(killed.expect("there is a `kill`").success());
    }

    fn ended_well(&mut self) -> bool {
        wait(&mut self.child, "it")
    }
}

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn the_bank_makes_every_transfer_once_whatever_is_killed() {
    let chaos = ["--chaos", "--server-kills", "3", "--client-kills", "2"].map(Path::new);
    let printed = succeed("bank", &chaos);
    in_order(&printed, &["effect and outcome together", "the server was killed ", "0 reported", "the audit is clean"]);
    let apart: Vec<&Path> = chaos.into_iter().chain([Path::new("--apart")]).collect();
    let printed = succeed("bank", &apart);
    in_order(&printed, &["effect and outcome apart", "the server was killed ", "the audit is clean"]);
}

#[cfg(feature = "sqlite")]
#[test]
fn the_bank_says_what_is_wrong_with_its_list() {
    let printed = fail("bank", &[Path::new("examples/data/transactions.csv")]);
    in_order(&printed, &["line 1: the header is not `id,from,to,cents`"]);
}

#[test]
fn the_data_is_what_its_generator_writes() {
    let written = succeed("generate_data", &[]);
    let committed = std::fs::read(root().join("examples/data/transactions.csv")).expect("the data is there");
    assert!(written.as_bytes() == committed, "examples/data/README.md says how to write it again");
    assert!(committed.iter().filter(|byte| **byte == b'\n').count() > 10_000);
}

/// Runs an example that has to end well. Gives what it printed.
fn succeed(example: &str, arguments: &[&Path]) -> String {
    let (ended_well, out, err) = run(example, arguments);
    assert!(ended_well, "{example} failed:\n{out}{err}");
    out
}

/// Runs an example that has to fail. Gives what it complained of.
fn fail(example: &str, arguments: &[&Path]) -> String {
    let (ended_well, out, err) = run(example, arguments);
    assert!(!ended_well, "{example} ended well:\n{out}{err}");
    err
}

fn run(example: &str, arguments: &[&Path]) -> (bool, String, String) {
    let mut child = Command::new(program(example))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let out = read_all(child.stdout.take());
    let err = read_all(child.stderr.take());
    let ended_well = wait(&mut child, example);
    (ended_well, out.join().expect("no panic"), err.join().expect("no panic"))
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.expect("piped").read_to_string(&mut text).expect("examples print text");
        text
    })
}

fn wait(child: &mut Child, example: &str) -> bool {
    let began = Instant::now();
    loop {
        match child.try_wait().expect("the example can be waited for") {
            Some(status) => return status.success(),
            None if began.elapsed() > PATIENCE => {
                let _ = child.kill();
                panic!("{example} did not end within {PATIENCE:?}");
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The example's program. `cargo test` builds it before this test runs, in the directory beside this one's.
fn program(example: &str) -> PathBuf {
    let deps = std::env::current_exe().expect("this test is a program").parent().expect("in a directory").to_owned();
    let program = deps.with_file_name("examples").join(example).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is missing: run `cargo test`, or `cargo build --examples` first", program.display());
    program
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Checks that each line, or part of one, is printed after the one before.
fn in_order(printed: &str, wanted: &[&str]) {
    let mut rest = printed;
    for wanted in wanted {
        let Some(at) = rest.find(wanted) else { panic!("`{wanted}` is missing, or too early, in:\n{printed}") };
        rest = &rest[at + wanted.len()..];
    }
}

/// A file that goes away with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("vox-examples-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("a temporary file can be written");
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
