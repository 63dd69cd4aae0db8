//! Runs the server and the client, and kills and cuts them meanwhile if asked to.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::audit;
use crate::journal::Outcome;
use crate::options::{Chaos, Plan, Transfers};
use crate::orders;
use crate::process::Process;
use crate::proxy::Proxy;

/// How long nothing is broken before the next thing is: at least, and at most as much more.
const CALM: Duration = Duration::from_millis(20);
const MORE_CALM: Duration = Duration::from_millis(120);
/// How often the client is looked after.
const GLANCE: Duration = Duration::from_millis(5);
/// A run that has taken so long will never end.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// The stage: a directory for the database and the journals, and who plays on it.
struct Stage {
    directory: PathBuf,
    plan: Plan,
    proxy: Proxy,
    server: Process,
    journals: Vec<PathBuf>,
    broken: Broken,
}

/// How often something was broken.
#[derive(Debug, Default)]
struct Broken {
    server_kills: u32,
    client_kills: u32,
    cuts: u32,
}

/// Runs the list, again and again if there is not yet enough broken by then, and audits. `false`: the audit found something.
pub async fn run(plan: Plan) -> Result<bool, Box<dyn Error>> {
    let began = Instant::now();
    // A list that cannot be read is none for the client either.
    orders::read(&plan.orders)?;
    let mut stage = Stage::set(plan).await?;
    let mut random = Random(stage.plan.chaos.map_or(0, |chaos| chaos.seed));
    loop {
        stage.run_list(&mut random, began).await?;
        if stage.plan.chaos.is_none_or(|chaos| stage.is_enough(chaos)) {
            break;
        }
    }
    let (directory, way) = (stage.directory.clone(), stage.plan.way);
    let Broken { server_kills, client_kills, cuts } = stage.broken;
    let (database, journals) = (stage.database(), stage.journals);
    stage.server.stop()?;
    let audit = audit::run(&database, &journals).await?;
    println!("effect and outcome {}: {} lists in {:.1} s", way.name(), journals.len(), began.elapsed().as_secs_f64());
    println!(
        "the server was killed {server_kills} times, the client {client_kills} times, links were cut {cuts} times"
    );
    println!("{audit}");
    let lost = way == Transfers::Together && audit.told(Outcome::Indeterminate) > 0;
    if lost {
        println!("FAULT: with effect and outcome together nothing is ever unknown");
    }
    let clean = audit.is_clean() && !lost;
    match clean {
        true => std::fs::remove_dir_all(directory)?,
        false => println!("database and journals: {}", directory.display()),
    }
    Ok(clean)
}

impl Stage {
    async fn set(plan: Plan) -> Result<Self, Box<dyn Error>> {
        let directory = std::env::temp_dir().join(format!("vox-bank-{}", vox::OperationId::new()));
        std::fs::create_dir(&directory)?;
        let proxy = Proxy::start().await?;
        let (server, address) = Process::server(directory.join("bank.db").as_os_str())?;
        proxy.lead_to(&address);
        Ok(Self { directory, plan, proxy, server, journals: Vec::new(), broken: Broken::default() })
    }

    fn database(&self) -> PathBuf {
        self.directory.join("bank.db")
    }

    fn is_enough(&self, chaos: Chaos) -> bool {
        self.broken.server_kills >= chaos.server_kills && self.broken.client_kills >= chaos.client_kills
    }

    /// Has the whole list run once, by as many clients as it takes.
    async fn run_list(&mut self, random: &mut Random, began: Instant) -> Result<(), Box<dyn Error>> {
        self.journals.push(self.directory.join(format!("journal-{}", self.journals.len())));
        let mut client = self.client()?;
        let mut next = Instant::now() + random.calm();
        loop {
            match client.ended()? {
                Some(true) => return Ok(()),
                Some(false) => return Err("the client gave up".into()),
                None if began.elapsed() > PATIENCE => return Err("the run does not come to an end".into()),
                None => {}
            }
            if let Some(chaos) = self.plan.chaos
                && Instant::now() >= next
            {
                self.break_something(chaos, random, &mut client)?;
                next = Instant::now() + random.calm();
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    fn client(&self) -> io::Result<Process> {
        let journal = self.journals.last().ok_or_else(|| io::Error::other("no journal"))?;
        let address = self.proxy.address();
        Process::client(&[
            "--call".as_ref(),
            address.as_ref(),
            self.plan.orders.as_os_str(),
            journal.as_os_str(),
            self.plan.way.name().as_ref(),
        ])
    }

    fn break_something(&mut self, chaos: Chaos, random: &mut Random, client: &mut Process) -> io::Result<()> {
        let (servers, clients) = (u64::from(chaos.server_kills), u64::from(chaos.client_kills));
        // Links are cut as often as processes are killed.
        let roll = random.below(2 * (servers + clients).max(1));
        if roll < servers {
            self.server.kill()?;
            self.broken.server_kills += 1;
            let (server, address) = Process::server(self.database().as_os_str())?;
            self.server = server;
            self.proxy.lead_to(&address);
        } else if roll < servers + clients {
            client.kill()?;
            self.broken.client_kills += 1;
            *client = self.client()?;
        } else {
            self.proxy.cut();
            self.broken.cuts += 1;
        }
        Ok(())
    }
}

/// Random numbers from a seed: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn calm(&mut self) -> Duration {
        CALM + Duration::from_millis(self.below(MORE_CALM.as_millis() as u64))
    }
}
