//! How the cost of a call grows with the methods of its service: the first and the last of up to 300.

use crate::command::Options;
use crate::contender::Fault;

/// Measures, if the services were compiled.
#[cfg(not(feature = "methods"))]
pub(crate) fn run(_: &mut Options) -> Result<(), Fault> {
    println!("methods: left out, as the services of many methods are only there with `--features methods`");
    Ok(())
}

#[cfg(feature = "methods")]
pub(crate) fn run(options: &mut Options) -> Result<(), Fault> {
    services::run(options)
}

#[cfg(feature = "methods")]
mod services {
    use std::pin::Pin;

    use crate::command::Options;
    use crate::contender::{Fault, expect};
    use crate::lane::runtime;
    use crate::measure::{Sample, Stopwatch, Summary};
    use crate::sweep;

    /// What is to come of it.
    type Eventually<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + 'a>>;

    /// A service of so many methods.
    pub(super) trait Service {
        fn methods(&self) -> u64;
        fn connect(&self) -> Eventually<'static, Box<dyn Caller>>;
    }

    /// A client of such a service.
    pub(super) trait Caller {
        /// Half of the calls to the first method, half to the last.
        fn run(&self, calls: u64) -> Eventually<'_, ()>;
    }

    macro_rules! service {
        ($module:ident, $methods:literal, $first:ident, $last:ident) => {
            impl Service for $module::Served {
                fn methods(&self) -> u64 {
                    $methods
                }

                fn connect(&self) -> Eventually<'static, Box<dyn Caller>> {
                    Box::pin(async {
                        let service = $module::ManyDispatcher::new($module::Served);
                        let server = vox::Server::builder().service(service).bind("tcp://127.0.0.1:0").await?;
                        let client: $module::ManyClient = vox::connect(server.address()).await?;
                        tokio::spawn(async move {
                            let _serving = server;
                            std::future::pending::<()>().await;
                        });
                        Ok(Box::new(client) as Box<dyn Caller>)
                    })
                }
            }

            impl Caller for $module::ManyClient {
                fn run(&self, calls: u64) -> Eventually<'_, ()> {
                    Box::pin(async move {
                        for number in 0..calls / 2 {
                            expect(self.$first(number).await?, number)?;
                            expect(self.$last(number).await?, number)?;
                        }
                        Ok(())
                    })
                }
            }
        };
    }

    include!(concat!(env!("OUT_DIR"), "/services.rs"));

    pub(super) fn run(options: &mut Options) -> Result<(), Fault> {
        const CALLS: u64 = 10_000;
        let mut lanes = Vec::new();
        for service in all() {
            let runtime = runtime(1)?;
            let client = runtime.block_on(service.connect())?;
            lanes.push((service.methods(), client, runtime, Vec::<Sample>::new()));
        }
        for round in 0..=options.extent.rounds {
            for (_, client, runtime, samples) in &mut lanes {
                let watch = Stopwatch::start(None)?;
                runtime.block_on(client.run(CALLS))?;
                let sample = watch.stop(CALLS)?;
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        println!("methods: µs per call, medians of {} rounds, cpu", options.extent.rounds);
        for (methods, client, runtime, samples) in lanes {
            println!("{methods:>5} {:>9.3}", Summary::of(samples.iter().map(|sample| sample.cpu)).median / 1e3);
            for (round, sample) in samples.into_iter().enumerate() {
                options.write(&sweep::line("methods", "vox", methods, round, sample))?;
            }
            drop(client);
            drop(runtime);
        }
        Ok(())
    }
}
