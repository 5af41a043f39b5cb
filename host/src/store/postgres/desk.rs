//! The lane of everything else: changes by hand, of plugins and of the store itself. One after the other, each in a transaction
//! of its own, so that none of them waits for the others' faults.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::sync::mpsc;
use tokio_postgres::types::Type;

use super::{
    Outage, StoreError, activity, approvals, catalogue,
    command::{CatalogueCommand, Command, PluginCommand, StockCommand, UpkeepCommand},
    connection::Connection,
    link::{Failed, Session},
    plugins, rollouts, stock,
    transaction::{FLIGHT_WITHIN, Parameters, change, within},
};
use crate::{
    store::{
        BY_FOLDER,
        items::Items,
        queue::{Reply, Shared, Unacknowledged},
    },
    units::millis,
};

/// The most rows that one prune deletes of each table.
const PRUNED_ROWS_MAX: i64 = 500;

/// The longest time for which answers are kept: PostgreSQL counts no further than some 178 million years.
const KEPT_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3_600);

/// Carries out the lane, over one connection.
pub(super) async fn run(
    mut commands: mpsc::UnboundedReceiver<Command>,
    mut connection: Connection,
    shared: &Shared,
    items: &Items,
) {
    while let Some(command) = commands.recv().await {
        let carried_out = match connection.session().await {
            Ok(client) => execute(client, command, items).await,
            Err(failed) => {
                command.unexecuted().tell(Err(Unacknowledged::Undone(Outage::Database(failed.cause()))));
                Err(failed)
            }
        };
        match carried_out {
            Ok(()) => shared.committed(1),
            Err(failed) => {
                shared.batch_failed();
                connection.undo(&failed).await;
            }
        }
        shared.queued_commands.fetch_sub(1, Relaxed);
    }
}

/// Carries a command out and answers it. An error is the database's: something is left to undo.
async fn execute(client: &Session, command: Command, items: &Items) -> Result<(), Failed> {
    match command {
        Command::Stock(command) => of_stock(client, command, items).await,
        Command::Plugin(command) => of_plugins(client, *command).await,
        Command::Catalogue(CatalogueCommand { over, parts, reply }) => {
            tell_within(catalogue::WITHIN, reply, catalogue::replace(client, over, &parts)).await
        }
        Command::Upkeep(UpkeepCommand::PruneAnswers { kept, reply }) => tell(reply, prune(client, kept)).await,
        Command::Upkeep(UpkeepCommand::CheckReadiness { reply }) => tell(reply, check_readiness(client)).await,
        Command::Upkeep(UpkeepCommand::NoteHost { host, what, detail, reply }) => {
            tell(reply, activity::note_host(client, &host, what, &detail)).await
        }
        Command::Upkeep(UpkeepCommand::Wake { reply }) => {
            reply.tell(Ok(()));
            Ok(())
        }
        // They have lanes of their own.
        Command::Order(_) | Command::Reservation(_) => Ok(()),
        #[cfg(test)]
        Command::Test(_) => Ok(()),
    }
}

/// Carries out a change of stock. The other hosts learn of new items from their next beat, this one at once.
async fn of_stock(client: &Session, command: StockCommand, items: &Items) -> Result<(), Failed> {
    match command {
        StockCommand::Seed { opening, reply } => {
            let seeded = async {
                items.add(stock::seed(client, &opening).await?);
                Ok(())
            };
            tell(reply, seeded).await
        }
        StockCommand::Set { item, counted, why, reply } => {
            let set = async {
                let changed = stock::set(client, &item, counted, &why).await?;
                items.add(vec![item]);
                Ok(changed)
            };
            tell(reply, set).await
        }
        StockCommand::Add { item, delta, why, reply } => {
            let added = async {
                let changed = stock::add(client, &item, delta, &why).await?;
                if changed.is_ok() {
                    items.add(vec![item]);
                }
                Ok(changed)
            };
            tell_either(reply, added).await
        }
        StockCommand::Remove { item, why, reply } => {
            let removed = async {
                let removed = stock::remove(client, &item, &why).await?;
                if removed.is_ok() {
                    items.remove(&[item]);
                }
                Ok(removed)
            };
            tell_either(reply, removed).await
        }
    }
}

async fn of_plugins(client: &Session, command: PluginCommand) -> Result<(), Failed> {
    match command {
        PluginCommand::Publish { over, text, order, action, audited, reply } => {
            tell_either(reply, plugins::publish(client, over, &text, order.as_ref(), action, &audited)).await
        }
        PluginCommand::Uninstall { live, order, audited, reply } => {
            tell_either(reply, plugins::uninstall(client, &live, &order, &audited)).await
        }
        PluginCommand::Reorder { order, audited, reply } => {
            tell_either(reply, plugins::reorder(client, &order, &audited)).await
        }
        PluginCommand::AskApproval { change, by, reason, reply } => {
            tell_either(reply, approvals::ask(client, change, &by, &reason)).await
        }
        PluginCommand::RejectApproval { id, by, reason, reply } => {
            tell_either(reply, approvals::reject(client, id, &by, &reason)).await
        }
        PluginCommand::NoteRefusal { at, by, detail, reply } => {
            tell(reply, plugins::note(client, "refuse", at, None, &by, &detail)).await
        }
        PluginCommand::NoteFolderHas { at, version, reply } => {
            let noted = plugins::note(client, "deploy", Some(at), Some(version), BY_FOLDER, "live already");
            tell(reply, noted).await
        }
        PluginCommand::BeginRollout { text, plan, by, detail, reply } => {
            tell_either(reply, rollouts::begin_rollout(client, &text, &plan, &by, &detail)).await
        }
        PluginCommand::ChangeRollout { id, state, by, reason, reply } => {
            tell(reply, rollouts::change_rollout(client, id, state, &by, &reason)).await
        }
        PluginCommand::PromoteRollout { id, text, by, reason, reply } => {
            tell_either(reply, rollouts::promote_rollout(client, id, &text, &by, &reason)).await
        }
    }
}

async fn tell<T, E>(reply: Reply<T, E>, work: impl Future<Output = Result<T, Failed>>) -> Result<(), Failed>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    tell_either(reply, async { work.await.map(Ok) }).await
}

/// Waits for the work, and answers.
async fn tell_either<T, E>(
    reply: Reply<T, E>,
    work: impl Future<Output = Result<Result<T, E>, Failed>>,
) -> Result<(), Failed>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    tell_within(FLIGHT_WITHIN, reply, work).await
}

/// Waits for work that may take another time than others, and answers.
async fn tell_within<T, E>(
    time: Duration,
    reply: Reply<T, E>,
    work: impl Future<Output = Result<Result<T, E>, Failed>>,
) -> Result<(), Failed>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match within(time, work).await {
        Ok(outcome) => {
            reply.tell(outcome);
            Ok(())
        }
        Err(failed) => {
            reply.tell(Err(failed.error().into()));
            Err(failed)
        }
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
