//! Calling a method.

use std::future::Future;
use std::io::IsTerminal;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;
use vox::dynamic::{DynamicClient, MethodType};
use vox::value::{Value, ValueError};
use vox::{OperationId, Ran, VoxError};

use crate::arguments;
use crate::connection::{Target, describer, open, service};
use crate::failure::Failure;
use crate::services::known;
use crate::streams::{self, Drain, Feed};
use crate::text::{self, quoted, resolved};

/// Calls a method.
///
/// A value is typed as `name=value`, a part of one as `order.from=7`, `lines[0].sku=A1` or `tags[]=new`. What a value may be is what
/// `vox describe` says. `@file` and `@env:NAME` say where a value is, `@@x` is the text `@x`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// `Service.method`
    method: String,
    /// The arguments; a channel that the method reads is `name=-` or `name=@file`, with an item in JSON on each line
    #[arg(value_name = "NAME=VALUE")]
    typed: Vec<String>,
    /// All arguments as a JSON object: the text itself, `@file`, or `@-` for standard input
    #[arg(short = 'd', long = "data", value_name = "JSON", conflicts_with = "typed")]
    data: Option<String>,
    /// How long the call may take
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    timeout: Option<Duration>,
    /// Metadata of the call, as `key=value`; a value may be `@file` or `@env:NAME`
    #[arg(short = 'm', long = "metadata", value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// The operation that the call is an attempt at: an id, or `new`, which prints it before the call is sent
    #[arg(long, value_name = "ID")]
    op: Option<String>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Calls a method, prints what comes of it, and says by its failure whether it ran.
pub(crate) async fn call(arguments: Arguments) -> Result<(), Failure> {
    let Some((service_name, method_name)) = arguments.method.rsplit_once('.') else {
        return Err(Failure::Usage(format!("write `Service.method`: {}", arguments.method)));
    };
    let session = arguments.target.connect().await?;
    let service = service(&describer(&session).await?, service_name).await?;
    let method = known(&service, method_name)?.clone();
    let client = open(&session, &service).await?;
    let done = make(&arguments, &client, &method).await;
    session.close("done").await;
    done
}

async fn make(arguments: &Arguments, client: &DynamicClient, method: &MethodType) -> Result<(), Failure> {
    let typed = match &arguments.data {
        Some(data) => arguments::Typed { json: read_data(data)?, sources: Vec::new() },
        None => arguments::read(method, &arguments.typed).map_err(Failure::Usage)?,
    };
    let made = client.call_json_with_channels(method.name(), &typed.json);
    let (mut call, channels) = made.map_err(|error| Failure::Usage(error.to_string()))?;
    let (feeds, drains) = streams::plan(channels, &typed.sources)?;
    if let Some(timeout) = arguments.timeout {
        call = call.timeout(timeout);
    }
    for entry in &arguments.metadata {
        let (key, value) = text::entry(entry).map_err(Failure::Usage)?;
        call = call.sensitive_metadata(key, value);
    }
    let operation = arguments.op.as_deref().map(|id| operation(id, client)).transpose()?;
    if let Some(id) = operation {
        call = call.operation(id);
    }
    let began = Instant::now();
    let (outcome, streamed) = run(call, feeds, drains).await;
    let told = Told { method, operation, took: began.elapsed(), json: arguments.json };
    told.tell(outcome)?;
    match streamed {
        Ok(()) => Ok(()),
        Err(why) => Err(Failure::Call { ran: Ran::Yes, why: Some(why) }),
    }
}

/// Makes the call, while its channels are fed and printed. What the server sent is printed before the outcome.
async fn run(
    call: impl Future<Output = Result<Value, VoxError<Value>>>,
    feeds: Vec<Feed>,
    drains: Vec<Drain>,
) -> (Result<Value, VoxError<Value>>, Result<(), String>) {
    let mut call = pin!(call);
    // Its channels can be used once it is sent, which its first poll does.
    let first = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    let mut feeding: JoinSet<Result<(), String>> = feeds.into_iter().map(Feed::run).collect();
    let mut draining: JoinSet<Result<(), String>> = drains.into_iter().map(Drain::run).collect();
    let outcome = match first {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => call.await,
    };
    let mut streamed = Ok(());
    while let Some(done) = draining.join_next().await {
        streamed = streamed.and(done.unwrap_or(Ok(())));
    }
    // A feed that still reads has nobody to read for. One that failed says why the call did.
    while let Some(done) = feeding.try_join_next() {
        streamed = streamed.and(done.unwrap_or(Ok(())));
    }
    (outcome, streamed)
}

/// All arguments as JSON.
fn read_data(data: &str) -> Result<String, Failure> {
    match data {
        "@-" => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::Local(format!("standard input: {error}"))),
        _ => resolved(data).map_err(Failure::Usage),
    }
}

/// The id of an operation: the one that is given, or a new one, which is told before the call is sent.
fn operation(id: &str, client: &DynamicClient) -> Result<OperationId, Failure> {
    if id != "new" {
        return id.parse().map_err(|error| Failure::Usage(format!("`{id}`: {error}")));
    }
    let id = client.caller().new_operation();
    eprintln!("operation {id}");
    Ok(id)
}

/// What is told of a call.
struct Told<'a> {
    method: &'a MethodType,
    operation: Option<OperationId>,
    took: Duration,
    json: bool,
}

impl Told<'_> {
    fn tell(&self, outcome: Result<Value, VoxError<Value>>) -> Result<(), Failure> {
        match outcome {
            Ok(value) if self.json => self.envelope("ok", Ran::Yes, ("value", self.method.ok().write_json(&value))),
            Ok(Value::Unit) => Ok(()),
            Ok(value) => {
                let pretty = std::io::stdout().is_terminal();
                let ty = self.method.ok();
                let text = if pretty { ty.write_json_pretty(&value) } else { ty.write_json(&value) };
                Ok(streams::print(&text.map_err(|error| self.unreadable(&error))?)?)
            }
            Err(VoxError::User(error)) => {
                let text = self.method.error().write_json(&error);
                if self.json {
                    self.envelope("user", Ran::Yes, ("error", text))?;
                } else {
                    eprintln!("vox: the method failed: {}", text.map_err(|error| self.unreadable(&error))?);
                }
                Err(Failure::Method)
            }
            Err(error) => {
                let ran = error.ran();
                if self.json {
                    self.envelope(error.kind(), ran, ("error", Ok(quoted(&error.to_string()))))?;
                    return Err(Failure::Call { ran, why: None });
                }
                Err(Failure::Call { ran, why: Some(error.to_string()) })
            }
        }
    }

    fn envelope(&self, kind: &str, ran: Ran, told: (&str, Result<String, ValueError>)) -> Result<(), Failure> {
        let ran = match ran {
            Ran::Yes => "yes",
            Ran::No => "no",
            Ran::Unknown => "unknown",
        };
        let value = told.1.map_err(|error| self.unreadable(&error))?;
        let operation = self.operation.map_or("null".to_owned(), |id| quoted(&id.to_string()));
        Ok(streams::print(&format!(
            "{{\"outcome\":{},\"ran\":\"{ran}\",\"{}\":{value},\"operation\":{operation},\"ms\":{:.3}}}",
            quoted(kind),
            told.0,
            self.took.as_secs_f64() * 1e3,
        ))?)
    }

    fn unreadable(&self, why: &dyn std::fmt::Display) -> Failure {
        Failure::Call {
            ran: Ran::Yes,
            why: Some(format!("what `{}` returned cannot be printed: {why}", self.method.name())),
        }
    }
}
