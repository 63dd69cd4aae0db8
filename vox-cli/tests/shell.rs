//! The program `vox`, run against a server of this process as a shell runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use facet::Facet;
use tokio::sync::Notify;
use vox::{Context, Rx, Server, Tx};

/// What is moved.
#[derive(Debug, Clone, Facet)]
struct Transfer {
    from: u64,
    to: u64,
    note: Option<String>,
}

#[derive(Debug, Clone, Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "the program reads it by its schema")]
enum BankError {
    NoAccount(u64),
}

/// Keeps accounts.
#[vox::service]
trait Bank {
    /// What is in an account.
    #[vox(idem)]
    async fn balance(&self, account: u64) -> Result<u128, BankError>;
    /// Moves money, once.
    #[vox(persist, timeout = "2s")]
    async fn transfer(&self, order: Transfer) -> Result<String, BankError>;
    /// The sum of what comes, and each part of it.
    async fn sum(&self, numbers: Rx<u64>, parts: Tx<u64>) -> Result<u64, String>;
    /// Never answers.
    async fn wait(&self);
    /// What was sent beside the call.
    async fn token(&self, cx: &Context) -> Option<String>;
    async fn panics(&self);
}

#[derive(Default)]
struct MyBank {
    transfers: AtomicU64,
    /// A handler waits.
    waits: Notify,
    /// It was cancelled.
    cancelled: Notify,
}

/// Tells when it is dropped.
struct Guard<'a>(&'a Notify);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Bank for MyBank {
    async fn balance(&self, account: u64) -> Result<u128, BankError> {
        if account == 7 { Ok(u128::MAX) } else { Err(BankError::NoAccount(account)) }
    }

    async fn transfer(&self, order: Transfer) -> Result<String, BankError> {
        let number = self.transfers.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(format!("{number}: {} to {}, {}", order.from, order.to, order.note.as_deref().unwrap_or("no note")))
    }

    async fn sum(&self, mut numbers: Rx<u64>, parts: Tx<u64>) -> Result<u64, String> {
        let mut sum = 0;
        while let Some(number) = numbers.recv().await.map_err(|error| error.to_string())? {
            sum += number;
            parts.send(sum).await.map_err(|error| error.to_string())?;
        }
        parts.close();
        Ok(sum)
    }

    async fn wait(&self) {
        let _guard = Guard(&self.cancelled);
        self.waits.notify_one();
        std::future::pending::<()>().await;
    }

    async fn token(&self, cx: &Context) -> Option<String> {
        cx.metadata().get("authorization").map(str::to_owned)
    }

    async fn panics(&self) {
        panic!("on purpose");
    }
}

/// A server, and its address.
async fn server() -> (Server, String) {
    serve(Arc::default()).await
}

async fn serve(bank: Arc<MyBank>) -> (Server, String) {
    let server = Server::builder().service(BankDispatcher::new(bank)).describe();
    let server = server.bind("tcp://127.0.0.1:0").await.expect("a port is free");
    let address = server.address();
    (server, address)
}

/// Runs the program with these arguments and this on its standard input: its exit status, and what it wrote.
async fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vox"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("VOX_TEST_TOKEN", "secret");
    let input = input.to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("the program runs");
        let mut to = child.stdin.take().expect("it is piped");
        // Beside what it prints, which it waits for somebody to read. One that needs no input may have ended.
        std::thread::spawn(move || to.write_all(input.as_bytes()));
        child.wait_with_output().expect("it ends")
    });
    let Output { status, stdout, stderr } = ran.await.expect("nothing panics");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_listed_and_described() {
    let (_server, address) = server().await;
    let (status, out, err) = run(&["list", &address], "").await;
    assert_eq!((status, out.as_str(), err.as_str()), (0, "Bank  Keeps accounts.\n", ""));
    let (status, out, _) = run(&["list", "--json", &address], "").await;
    assert_eq!((status, out.as_str()), (0, "{\"name\":\"Bank\",\"docs\":\"Keeps accounts.\"}\n"));
    let (status, out, _) = run(&["describe", &address, "Bank.transfer"], "").await;
    let method =
        "// Moves money, once.\npersist transfer(order: Transfer) -> Result<string, BankError>  (timeout 2s)\n";
    assert_eq!((status, out.as_str()), (0, method));
    let (status, all, _) = run(&["describe", &address], "").await;
    assert_eq!(status, 0);
    assert!(
        all.starts_with("// Keeps accounts.\nservice Bank\n    // What is in an account.\n    idem balance("),
        "{all}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_prints_its_value() {
    let (_server, address) = server().await;
    let call = async |arguments: &[&str]| run(&[&["call", address.as_str()], arguments].concat(), "").await;
    let (status, out, err) = call(&["Bank.balance", "account=7"]).await;
    assert_eq!((status, out.as_str(), err.as_str()), (0, "340282366920938463463374607431768211455\n", ""));
    let (_, out, _) = call(&["Bank.transfer", "order.from=7", "order.to=9", "order.note=7"]).await;
    assert_eq!(out, "\"1: 7 to 9, 7\"\n");
    let (_, out, _) = call(&["Bank.transfer", "-d", r#"{"order": {"from": 7, "to": 9}}"#]).await;
    assert_eq!(out, "\"2: 7 to 9, no note\"\n");
    let (_, out, _) = call(&["Bank.token", "-m", "authorization=@env:VOX_TEST_TOKEN"]).await;
    assert_eq!(out, "\"secret\"\n");
    let (status, out, _) = call(&["Bank.balance", "account=7", "--json"]).await;
    assert_eq!(status, 0);
    assert!(
        out.starts_with(r#"{"outcome":"ok","ran":"yes","value":340282366920938463463374607431768211455,"#),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_status_says_whether_it_ran() {
    let (_server, address) = server().await;
    for (arguments, status, said) in [
        (&["Bank.balance", "account=8"][..], 1, "vox: the method failed: {\"NoAccount\":8}\n"),
        (&["Bank.balance", "account=x"], 2, "account: expected u64, got \"x\""),
        (&["Bank.balance"], 2, "account"),
        (&["Bank.balance", "acount=7"], 2, "did you mean `account`?"),
        (&["Bank.balanse", "account=7"], 2, "`Bank` has no method `balanse`"),
        (&["Bnak.balance", "account=7"], 2, "did you mean `Bank`?"),
        (&["balance"], 2, "write `Service.method`"),
        (&["Bank.balance", "account=7", "--op", "x"], 2, "`x`: "),
        (&["Bank.sum"], 2, "`numbers` takes items: say where they are, as `numbers=-` or `numbers=@FILE`"),
        (&["Bank.sum", "numbers=-", "parts=-"], 2, "the server sends on `parts`"),
        (&["Bank.wait", "--timeout", "100ms"], 4, "Bank"),
        (&["Bank.panics"], 4, "panic"),
    ] {
        let (code, out, err) = run(&[&["call", address.as_str()], arguments].concat(), "").await;
        assert_eq!((code, out.as_str()), (status, ""), "{arguments:?}: {err}");
        assert!(err.contains(said), "{arguments:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{arguments:?}: {err}");
    }
    let (status, _, err) = run(&["call", "tcp://127.0.0.1:1", "Bank.balance", "account=7"], "").await;
    assert_eq!(status, 6, "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_describe_itself_is_told_of() {
    let server = Server::builder().service(BankDispatcher::new(MyBank::default()));
    let server = server.bind("tcp://127.0.0.1:0").await.expect("a port is free");
    let (status, _, err) = run(&["list", &server.address()], "").await;
    assert_eq!(status, 6);
    assert!(err.contains("Server::builder().describe()"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_are_lines() {
    let (_server, address) = server().await;
    let sum = ["call", &address, "Bank.sum", "numbers=-"];
    let (status, out, err) = run(&sum, "1\n2\n\n3\n").await;
    assert_eq!((status, out.as_str(), err.as_str()), (0, "1\n3\n6\n6\n", ""));
    let (status, out, err) = run(&sum, "").await;
    assert_eq!((status, out.as_str(), err.as_str()), (0, "0\n", ""));
    let (status, _, err) = run(&sum, "1\nx\n").await;
    assert_eq!(status, 1, "the handler sees an abort, and fails: {err}");
    assert!(err.contains("line 2: "), "{err}");
    let many: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    let (status, out, _) = run(&sum, &many).await;
    assert_eq!((status, out.lines().count()), (0, 100_001));
    assert!(out.ends_with("\n4999950000\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_runs_once_however_often_it_is_called() {
    let (_server, address) = server().await;
    let transfer = ["call", &address, "Bank.transfer", "order.from=7", "order.to=9", "--op"];
    let (status, first, err) = run(&[&transfer[..], &["new"]].concat(), "").await;
    assert_eq!(status, 0, "{err}");
    let id = err.trim().strip_prefix("operation ").expect("its id is told").to_owned();
    let (status, again, _) = run(&[&transfer[..], &[&id]].concat(), "").await;
    assert_eq!((status, again), (0, first));
    let (status, _, err) =
        run(&["call", &address, "Bank.transfer", "order.from=1", "order.to=9", "--op", &id], "").await;
    assert_eq!(status, 3, "other arguments under the same id: {err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_cancels_the_call() {
    let bank = Arc::new(MyBank::default());
    let (_server, address) = serve(Arc::clone(&bank)).await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_vox"))
        .args(["call", &address, "Bank.wait"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    bank.waits.notified().await;
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("`kill` runs");
    assert!(interrupted.success());
    let status = tokio::task::spawn_blocking(move || child.wait()).await.expect("nothing panics").expect("it ends");
    assert_eq!(status.code(), Some(130));
    bank.cancelled.notified().await;
}
