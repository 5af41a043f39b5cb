//! When a request is sent again with its key, and how long the client waits before.

use std::time::Duration;

use hyper::StatusCode;
use rand::RngExt;

use super::{
    client::{Answer, Said, Shop},
    mix::Request,
};

/// The first wait, doubled each time, for failures without a `Retry-After`; a host's own refusals have `Retry-After:
/// 1`.
const BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait before the random part, so that a host that is back is soon noticed. Also limits a `Retry-After`,
/// which may have any value.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

impl Shop {
    /// Sends the request until its answer is final, or it was sent again `retries` times. Calls `resent` each time. May
    /// be dropped midway.
    pub async fn insist(&self, request: &Request, key: &str, retries: u32, mut resent: impl FnMut() + Send) -> Said {
        let mut said = self.ask(request, key).await;
        for retry in 0..retries {
            if said.stands() {
                break;
            }
            tokio::time::sleep(wait(retry, said.answer().and_then(|answer| answer.retry_after))).await;
            resent();
            said = self.ask(request, key).await;
        }
        said
    }
}

impl Said {
    /// Returns whether the answer is final: any answer except 502, 503, 504, or a 409 with a `Retry-After`. A repeated
    /// answer to the same key is final, whatever its status.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.answer().is_some_and(|answer| answer.replayed || !answer.asks_for_another())
    }
}

impl Answer {
    fn asks_for_another(&self) -> bool {
        match self.status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => true,
            StatusCode::CONFLICT => self.retry_after.is_some(),
            _ => false,
        }
    }
}

/// Returns the wait: the host's `Retry-After` and up to half as much again, or half to all of the doubled backoff.
/// Random, so that clients don't all come back at once.
fn wait(retry: u32, retry_after: Option<Duration>) -> Duration {
    let chance = rand::rng().random::<f64>();
    match retry_after {
        Some(asked) => asked.min(BACKOFF_MAX).mul_f64(1.0 + chance / 2.0),
        None => BACKOFF.saturating_mul(2_u32.saturating_pow(retry)).min(BACKOFF_MAX).mul_f64(0.5 + chance / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::client::Silence;

    #[test]
    fn only_what_may_change_is_asked_for_again() {
        let answer = |status: u16, retry_after: Option<u64>, replayed| {
            let status = StatusCode::from_u16(status).unwrap();
            let retry_after = retry_after.map(Duration::from_secs);
            Said::Answer(Answer { status, body: "".into(), replayed, retry_after, trace: None })
        };
        for (status, retry_after, replayed, stands) in [
            (200, None, false, true),
            (400, None, false, true),
            (409, None, false, true),
            (409, Some(1), false, false),
            (500, None, false, true),
            (502, None, false, false),
            (502, None, true, true),
            (503, Some(1), false, false),
            (504, None, false, false),
        ] {
            assert_eq!(answer(status, retry_after, replayed).stands(), stands, "{status} {retry_after:?} {replayed}");
        }
        assert!(!Said::Nothing(Silence::Torn).stands());
    }

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        for (retry, asked, least_ms, most_ms) in [
            (0, None, 50, 100),
            (2, None, 200, 400),
            (90, None, 2_500, 5_000),
            (0, Some(1), 1_000, 1_500),
            (3, Some(86_400), 5_000, 7_500),
        ] {
            let waits: Vec<u128> = (0..100).map(|_| wait(retry, asked.map(Duration::from_secs)).as_millis()).collect();
            assert!(waits.iter().all(|ms| (least_ms..=most_ms).contains(ms)), "{retry} {asked:?}: {waits:?}");
            assert!(waits.iter().any(|ms| *ms != waits[0]));
        }
    }
}
