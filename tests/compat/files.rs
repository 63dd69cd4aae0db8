//! Snapshots and releases as files, and what their users are told.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use vox::compat::{Date, Release, Snapshot, check};
use vox::descriptor::ServiceDescriptor;

mod one {
    #[vox::service]
    pub(super) trait Bank {
        async fn balance(&self, account: u64) -> u64;
    }
}

mod two {
    #[vox::service]
    pub(super) trait Bank {
        async fn balance(&self, account: u64, day: Option<u32>) -> u64;
    }
}

mod three {
    #[vox::service]
    pub(super) trait Bank {
        async fn balance(&self, account: String, day: Option<u32>) -> u64;
    }
}

const ONE: &ServiceDescriptor = one::BankClient::SERVICE;
const TWO: &ServiceDescriptor = two::BankClient::SERVICE;
const THREE: &ServiceDescriptor = three::BankClient::SERVICE;

/// A directory that is gone at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vox-compat-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn put(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("below the directory")).expect("a directory");
        fs::write(path, text).expect("it can be written");
    }

    fn get(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).expect("it is there")
    }

    /// What is said where the service is held against its snapshot here; empty where nothing is.
    fn said(&self, service: &'static ServiceDescriptor) -> String {
        self.hold(service, false)
    }

    fn bless(&self, service: &'static ServiceDescriptor) -> String {
        self.hold(service, true)
    }

    fn hold(&self, service: &'static ServiceDescriptor, bless: bool) -> String {
        let today = Date::of("2026-11-30").expect("a day");
        match vox::compat::hold(service, &self.0, Path::new("schemas/bank.vox"), bless, today) {
            Ok(_) => String::new(),
            Err(failure) => failure.to_string(),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(service: &'static ServiceDescriptor) -> String {
    Snapshot::of(service).expect("it can cross").to_string()
}

const FILE: &str = "schemas/bank.vox";

#[test]
fn who_has_no_snapshot_is_told_how_to_begin_one() {
    let there = Directory::new("none");
    assert_eq!(
        there.said(ONE),
        "`Bank` has no snapshot yet: schemas/bank.vox is not there. To begin one, run `VOX_BLESS=1 cargo test` here, look at \
         what it wrote, and commit it."
    );
    assert_eq!(there.bless(ONE), "");
    assert_eq!(there.get(FILE), text(ONE));
    assert_eq!(there.said(ONE), "");
}

#[test]
fn what_does_not_break_is_told_and_taken_over() {
    let there = Directory::new("change");
    there.put(FILE, &text(ONE));
    let said = there.said(TWO);
    assert!(said.starts_with(
        "`Bank` is not what schemas/bank.vox says any more. Nothing breaks; to take the changes over, run"
    ));
    assert!(
        said.contains("VX-201 Bank.balance, argument `day`: the argument `day: Option<u32>` was added (any order)"),
        "{said}"
    );
    assert_eq!(there.bless(TWO), "");
    assert_eq!(there.get(FILE), text(TWO));
}

#[test]
fn what_breaks_is_not_written_before_it_is_accepted() {
    let there = Directory::new("break");
    there.put(FILE, &text(TWO));
    for said in [there.said(THREE), there.bless(THREE)] {
        assert!(said.starts_with("`Bank` does not go with what is deployed."), "{said}");
        assert!(said.contains("VX-326 Bank.balance, argument `account`: `u64` became `string` (breaking)"), "{said}");
    }
    assert_eq!(there.get(FILE), text(TWO));
    // The line that it asks for makes it go.
    let said = there.said(THREE);
    let line = said.lines().find(|line| line.starts_with("accept ")).expect("a line to paste");
    there.put(FILE, &format!("{}\n{line}\n", text(TWO)));
    assert_eq!(there.bless(THREE), "");
    assert_eq!(there.get(FILE), text(THREE));
}

#[test]
fn all_releases_count_and_not_the_last_alone() {
    let there = Directory::new("releases");
    there.put(FILE, &text(THREE));
    there.put("schemas/released/1.0.vox", &text(ONE));
    there.put("schemas/released/2.0/bank.vox", &text(THREE));
    there.put("schemas/released/2.0/other.vox", &text(ONE).replace("service Bank", "service Other"));
    let said = there.said(THREE);
    assert!(said.contains("hash"), "the other file's hash is not its own: {said}");
    fs::remove_file(there.0.join("schemas/released/2.0/other.vox")).expect("it is there");
    let said = there.said(THREE);
    assert!(said.contains("`u64` became `string` (breaking)") && said.contains("since: 1.0\n"), "{said}");
}

#[test]
fn an_accepted_break_stays_accepted_until_its_day() {
    let there = Directory::new("accepted");
    there.put(FILE, &text(THREE));
    there.put("schemas/released/1.0.vox", &text(ONE));
    let said = there.said(THREE);
    let line = said.lines().find(|line| line.starts_with("accept ")).expect("a line to paste").to_owned();
    assert!(line.contains("until 2027-11-30"), "{line}");
    there.put(FILE, &format!("{}\n{line}\n", text(THREE)));
    assert_eq!((there.said(THREE), there.bless(THREE), there.said(THREE)), Default::default());
    assert!(there.get(FILE).ends_with(&format!("\n{line}\n")));
    there.put(FILE, &format!("{}\n{}\n", text(THREE), line.replace("2027-11-30", "2026-11-29")));
    let said = there.said(THREE);
    assert!(said.contains("this line held until 2026-11-29: renew it, or take back the break"), "{said}");
    there.put(FILE, &format!("{}\n{}\n", text(THREE), line.replace("2027-11-30", "2026-11-30")));
    assert_eq!(there.said(THREE), "");
}

#[test]
fn a_line_is_bound_to_the_very_change_that_it_accepts() {
    let there = Directory::new("bound");
    there.put("schemas/released/1.0.vox", &text(ONE));
    there.put(FILE, &text(THREE));
    let said = there.said(THREE);
    let line = said.lines().find(|line| line.starts_with("accept ")).expect("a line to paste").to_owned();
    for other in [
        line.replace("VX-326", "VX-325"),
        line.replace("`account`", "`day`"),
        line.replacen("from ", "from 0", 1),
        line.replacen("to ", "to 0", 1),
    ] {
        there.put(FILE, &format!("{}\n{other}\n", text(THREE)));
        let said = there.said(THREE);
        assert!(said.contains("no break is what this line accepts, so take it out"), "{other}: {said}");
    }
}

#[test]
fn a_file_of_another_service_is_told() {
    let there = Directory::new("other");
    #[vox::service]
    trait Shop {}
    there.put(FILE, &text(ShopClient::SERVICE));
    assert_eq!(
        there.said(ONE),
        "schemas/bank.vox is of the service `Shop`, not of `Bank`: give each service a file of its own"
    );
}

#[test]
fn a_file_that_is_no_snapshot_is_told_with_its_line() {
    let there = Directory::new("broken");
    there.put(FILE, &text(ONE).replace("u64)", "u64"));
    let said = there.said(ONE);
    assert!(said.ends_with("schemas/bank.vox: line 6, column 29: `->` stands where `,` should"), "{said}");
}

#[test]
fn a_checkout_with_other_ends_of_lines_is_the_same() {
    let there = Directory::new("crlf");
    there.put(FILE, &text(ONE).replace('\n', "\r\n"));
    assert_eq!(there.said(ONE), "");
}

#[test]
fn the_macro_panics_with_the_words() {
    if std::env::var_os("VOX_BLESS").is_some() {
        // It would write the snapshot.
        return;
    }
    let said = panic::catch_unwind(|| vox::assert_compatible!(ONE, "tests/compat/never/there.vox"));
    let said = said.expect_err("it is not there").downcast::<String>().expect("words");
    assert!(said.starts_with("`Bank` has no snapshot yet: tests/compat/never/there.vox is not there."), "{said}");
}

#[test]
fn a_change_is_said_once_with_all_releases_that_it_is_one_from() {
    let release =
        |name: &str, service| Release { name: name.to_owned(), snapshot: Snapshot::of(service).expect("it can cross") };
    let now = Snapshot::of(THREE).expect("it can cross");
    let releases = [release("1.0", ONE), release("1.1", ONE), release("2.0", TWO), release("3.0", THREE)];
    let report = check(&now, &releases, &now, Date::today());
    let since: Vec<_> =
        report.changes.iter().map(|judged| (judged.change.code.as_str(), judged.since.join(" "))).collect();
    assert_eq!(since, [("VX-326", "1.0 1.1 2.0".to_owned()), ("VX-201", "1.0 1.1".to_owned())]);
}
