//! The lane of everything else: changes by hand, of plugins and of the store itself. One after the other, each in a transaction
//! of its own, so that none of them waits for the others' faults.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::{
    StoreError,
    command::{Command, PluginCommand, StockCommand, UpkeepCommand},
    link::{Failed, Session},
    plugins, stock,
    transaction::{Parameters, change, in_time},
};
use crate::{
    store::{BY_FOLDER, items::Items, queue::Reply},
    units::millis,
};

/// The most rows that one prune deletes of each table.
const PRUNED_ROWS_MAX: i64 = 500;

/// The longest time for which answers are kept: PostgreSQL counts no further than some 178 million years.
const KEPT_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3_600);

/// Carries a command out and answers it. Returns whether the connection may be used again.
pub(super) async fn execute(client: &Session, command: Command, items: &Items) -> bool {
    match command {
        Command::Stock(command) => of_stock(client, command, items).await,
        Command::Plugin(command) => of_plugins(client, *command).await,
        Command::Upkeep(UpkeepCommand::PruneAnswers { kept, reply }) => tell(client, reply, prune(client, kept)).await,
        Command::Upkeep(UpkeepCommand::CheckReadiness { reply }) => tell(client, reply, check_readiness(client)).await,
        Command::Upkeep(UpkeepCommand::Wake { reply }) => {
            reply.tell(Ok(()));
            true
        }
        // They have lanes of their own.
        Command::Order(_) | Command::Reservation(_) => true,
        #[cfg(test)]
        Command::Test(_) => true,
    }
}

/// Carries out a change of stock. The other hosts learn of new items from their next beat, this one at once.
async fn of_stock(client: &Session, command: StockCommand, items: &Items) -> bool {
    match command {
        StockCommand::Seed { opening, reply } => {
            let seeded = async {
                items.add(stock::seed(client, &opening).await?);
                Ok(())
            };
            tell(client, reply, seeded).await
        }
        StockCommand::Set { item, counted, reply } => {
            let set = async {
                let changed = stock::set(client, &item, counted).await?;
                items.add(vec![item]);
                Ok(changed)
            };
            tell(client, reply, set).await
        }
        StockCommand::Add { item, delta, reply } => {
            let added = async {
                let changed = stock::add(client, &item, delta).await?;
                if changed.is_ok() {
                    items.add(vec![item]);
                }
                Ok(changed)
            };
            tell_either(client, reply, added).await
        }
        StockCommand::Remove { item, reply } => {
            let removed = async {
                let removed = stock::remove(client, &item).await?;
                if removed.is_ok() {
                    items.remove(&[item]);
                }
                Ok(removed)
            };
            tell_either(client, reply, removed).await
        }
    }
}

async fn of_plugins(client: &Session, command: PluginCommand) -> bool {
    match command {
        PluginCommand::Publish { over, text, action, by, detail, reply } => {
            tell_either(client, reply, plugins::publish(client, over, &text, action, &by, &detail)).await
        }
        PluginCommand::NoteRefusal { kind, by, detail, reply } => {
            tell(client, reply, plugins::note(client, "refuse", kind, None, &by, &detail)).await
        }
        PluginCommand::NoteFolderHas { kind, version, reply } => {
            let noted = plugins::note(client, "deploy", Some(kind), Some(version), BY_FOLDER, "live already");
            tell(client, reply, noted).await
        }
        PluginCommand::BeginRollout { text, plan, by, detail, reply } => {
            tell_either(client, reply, plugins::begin_rollout(client, &text, &plan, &by, &detail)).await
        }
        PluginCommand::ChangeRollout { id, state, by, reason, reply } => {
            tell(client, reply, plugins::change_rollout(client, id, state, &by, &reason)).await
        }
        PluginCommand::PromoteRollout { id, text, by, reason, reply } => {
            tell_either(client, reply, plugins::promote_rollout(client, id, &text, &by, &reason)).await
        }
    }
}

async fn tell<T, E>(client: &Session, reply: Reply<T, E>, work: impl Future<Output = Result<T, Failed>>) -> bool
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    tell_either(client, reply, async { work.await.map(Ok) }).await
}

/// Waits for the work, undoes what is left of one that failed, and answers.
async fn tell_either<T, E>(
    client: &Session,
    reply: Reply<T, E>,
    work: impl Future<Output = Result<Result<T, E>, Failed>>,
) -> bool
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (outcome, is_usable) = match in_time(work).await {
        Ok(outcome) => (outcome, true),
        Err(failed) => {
            let is_usable = undo(client, &failed).await;
            (Err(StoreError::from(failed).into()), is_usable)
        }
    };
    reply.tell(outcome);
    is_usable
}

/// Undoes what is left of a transaction that failed, and returns whether its connection may be used again.
pub(super) async fn undo(client: &Session, failed: &Failed) -> bool {
    match failed {
        Failed::Crossed(_) | Failed::Refused(_) => {
            in_time(async { Ok(client.batch_execute("ROLLBACK").await?) }).await.is_ok()
        }
        Failed::Lost(_) | Failed::Unknown(_) => false,
    }
}

/// Deletes some of the answers older than `kept`, by the database's clock, and returns whether there may be more.
async fn prune(client: &Session, kept: Duration) -> Result<bool, Failed> {
    let kept_ms = millis(kept.min(KEPT_MAX)) as f64;
    let parameters: &Parameters<'_> = &[(&kept_ms, Type::FLOAT8), (&PRUNED_ROWS_MAX, Type::INT8)];
    // An order that waits for a release keeps its key, however long that takes.
    let checkouts = "DELETE FROM checkout_answers WHERE key IN (
                         SELECT key FROM checkout_answers JOIN orders ON orders.id = order_id
                         WHERE at < clock_timestamp() - $1 * interval '1 ms' AND ended_at_ms IS NOT NULL LIMIT $2)";
    let deducts = "DELETE FROM deduct_answers WHERE reference IN (
                       SELECT reference FROM deduct_answers WHERE at < clock_timestamp() - $1 * interval '1 ms' LIMIT $2)";
    let checkouts = change(client, checkouts, parameters).await?;
    let deducts = change(client, deducts, parameters).await?;
    Ok(checkouts.max(deducts) == PRUNED_ROWS_MAX.unsigned_abs())
}

/// Writes and commits something, to show that the database can.
async fn check_readiness(client: &Session) -> Result<(), Failed> {
    change(client, "UPDATE counters SET value = value WHERE name = 'host_id'", &[]).await.map(drop)
}
