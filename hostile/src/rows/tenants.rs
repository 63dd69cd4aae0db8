//! What is another's: its session, its operations. The server asks its peers who they are.

use vox::OperationId;

use super::store::attempt;
use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{Ticket, greet, hear_reply, measured, resume, send};
use crate::raw::{self, Raw, frame};
use crate::row::{Local, Row};
use crate::victim::Victim;

pub(crate) fn rows() -> Vec<Row> {
    let row = |name, sends, scene: for<'a> fn(&'a Victim, u64) -> Local<'a, Seen>| {
        Row::scene(name, sends, scene).with(|setting| setting.asks = true)
    };
    vec![
        row("another tenant's operation id", "{n} calls under ids of another's operations", anothers_operations).case(
            "",
            20,
            Answer::Fine,
        ),
        row("another tenant's session", "its id and secret, by another principal", anothers_session).case(
            "",
            1,
            Answer::Rejected(5),
        ),
        row("resume secret forged", "{n} resumes with secrets of one's own sessions", forged).case(
            "",
            50,
            Answer::Fine,
        ),
        row("resume secret raced", "{n} links at once with one good secret", raced).case("", 16, Answer::Fine),
        row("a resume that has received too much", "a resume after {n} bytes of none", ahead).case(
            "",
            1 << 40,
            Answer::Rejected(5),
        ),
    ]
}

/// A client of this name, with a session that it can resume.
async fn client(victim: &Victim, name: &str) -> Result<(Raw, Ticket), Answer> {
    let mut raw = Raw::new(victim.stream().await);
    let welcome = greet(&mut raw, &raw::hello_as(name, "Prey")).await?;
    Ok((raw, Ticket { name: Some(name.to_owned()), ..Ticket::of(&welcome) }))
}

/// Who uses the id of another's operation gets an operation of its own, with whatever arguments, and the other gets its kept outcome.
fn anothers_operations(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 3 * n, async move {
        let (acme, mallory) = (client(victim, "acme").await, client(victim, "mallory").await);
        let (Ok((mut acme, _)), Ok((mut mallory, _))) = (acme, mallory) else { return Answer::Closed };
        for n in 0..n {
            let (id, request) = (OperationId::new(), 4 * n + 1);
            let draw = async |raw: &mut Raw, request, argument| {
                raw.send(&attempt(request, "Prey.draw", id, &[argument])).await;
                hear_reply(raw).await
            };
            let drawn = draw(&mut acme, request, 1).await;
            let stolen = draw(&mut mallory, request, if n % 2 == 0 { 1 } else { 2 }).await;
            // Nor does mallory acknowledge for acme.
            mallory.send(&frame(raw::ACKNOWLEDGE).var(1).bytes(&id.to_u128().to_be_bytes())).await;
            let again = draw(&mut acme, request + 2, 1).await;
            let fine = |reply: &Option<Vec<u8>>| reply.as_ref().is_some_and(|reply| reply.first() == Some(&0));
            if !fine(&drawn) || !fine(&stolen) || drawn == stolen || drawn != again {
                return Answer::Wrong;
            }
        }
        Answer::Fine
    }))
}

fn anothers_session(victim: &Victim, _: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let Ok((raw, ticket)) = client(victim, "acme").await else { return Answer::Closed };
        let thief = Ticket { name: Some("mallory".to_owned()), ..ticket.clone() };
        let answer = resume(Raw::new(victim.stream().await), &thief).await;
        drop(raw);
        match resume(Raw::new(victim.stream().await), &ticket).await {
            Answer::Fine => answer,
            _ => Answer::Wrong,
        }
    }))
}

fn forged(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let Ok((mut raw, ticket)) = client(victim, "acme").await else { return Answer::Closed };
        let mut own = Vec::new();
        for _ in 0..n {
            let Ok((raw, mut forged)) = client(victim, "acme").await else { return Answer::Closed };
            own.push(raw);
            forged.session.clone_from(&ticket.session);
            if resume(Raw::new(victim.stream().await), &forged).await != Answer::Rejected(5) {
                return Answer::Wrong;
            }
        }
        // It has kept its link.
        send(&mut raw, [], 0).await
    }))
}

fn raced(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let Ok((raw, ticket)) = client(victim, "acme").await else { return Answer::Closed };
        drop(raw);
        let mut links = Vec::new();
        for _ in 0..n {
            links.push(Raw::new(victim.stream().await));
        }
        let races = links.into_iter().map(|mut raw| {
            let ticket = ticket.clone();
            tokio::spawn(async move {
                greet(&mut raw, &ticket.resume(0)).await.ok()?;
                // All have been told the next secret before one says that it has it.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                raw.try_write(&frame(raw::CONFIRM).bytes(raw::MAGIC).wire()).await;
                (send(&mut raw, [], 0).await == Answer::Fine).then_some(raw)
            })
        });
        let mut winners = Vec::new();
        for race in races.collect::<Vec<_>>() {
            winners.extend(race.await.expect("it does not panic"));
        }
        match winners.len() {
            1 => Answer::Fine,
            _ => Answer::Wrong,
        }
    }))
}

fn ahead(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let Ok((_raw, ticket)) = client(victim, "acme").await else { return Answer::Closed };
        match greet(&mut Raw::new(victim.stream().await), &ticket.resume(n)).await {
            Ok(_) => Answer::Wrong,
            Err(answer) => answer,
        }
    }))
}
