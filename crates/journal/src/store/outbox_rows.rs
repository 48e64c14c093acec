//! The rows of the messages that are due to the receivers of a deployment.

use rusqlite::{Transaction, params};

use super::columns::json;
use bluegreen_core::deployment::Deployment;
use bluegreen_core::notification::Notification;
use bluegreen_core::receivers::Receiver;

/// Writes a message for each receiver that hears of its occasion, once.
pub(super) fn write(
    transaction: &Transaction<'_>,
    deployment: &Deployment,
    notification: &Notification,
    is_for: impl Fn(&Receiver) -> bool,
) -> rusqlite::Result<()> {
    let receivers = deployment.plan.wishes.notify.iter().enumerate();
    let hearing = receivers
        .filter(|(_, receiver)| receiver.hears_of(notification.occasion) && is_for(receiver));
    for (number, _) in hearing {
        insert(transaction, number, notification)?;
    }
    Ok(())
}

/// Writes a message for one receiver, once.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    receiver: usize,
    notification: &Notification,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO notification (deployment_id, event_id, receiver, notification)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            notification.deployment,
            notification.event_id,
            i64::try_from(receiver).unwrap_or(i64::MAX),
            json(notification),
        ])
        .map(drop)
}
