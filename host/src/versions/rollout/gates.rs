//! Judges a candidate by its figures: the rollout goes on, has passed or has failed. `versions/supervise.rs` acts on
//! that verdict.
//!
//! A rate above its limit is not enough: of few calls some fail by chance, and the figures are judged many times. So a
//! gate fails a candidate only for figures that a version within the limit would show less often than once in a million
//! judgements. A candidate that fails one call in five fails as soon as it has `calls_min` calls.

use std::collections::BTreeSet;

use statrs::distribution::{Binomial, DiscreteCDF, Hypergeometric};

use super::{Figures, Gates};

/// A gate fails figures that a version within the limit shows with a smaller probability than this.
const CHANCE_MAX: f64 = 1e-6;
/// The fewest live calls that durations and outcomes are compared with.
const LIVE_CALLS_MIN: u64 = 100;
/// The share of the candidate's calls that may be slower than the live version's p99 times `p99_percent_max`. One in a
/// hundred is by definition; the rest allows for the error of that p99, which is an estimate.
const SLOWER_SHARE: f64 = 0.02;

/// What the gates say about a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// The time is up, and nothing was wrong.
    Passed(String),
    /// The time is up, and there were too few calls to tell.
    Thin(String),
    Failed(String),
}

impl Gates {
    /// Returns the verdict. `differing` is the number of a shadow's calls that differed, `None` for a canary.
    pub(super) fn verdict(
        &self,
        candidate: &Figures,
        live: &Figures,
        differing: Option<u64>,
        time_is_up: bool,
    ) -> Verdict {
        let calls = candidate.calls;
        if calls < self.calls_min {
            // Too few calls to pass, but enough to fail a version that breaks where the live one doesn't.
            if live.calls > 0
                && let Some(failed) = self.breaks(candidate, live)
            {
                return Verdict::Failed(failed);
            }
            let thin =
                format!("{calls} calls in {} ms are too few to tell: {} are wanted", self.duration_ms, self.calls_min);
            return if time_is_up { Verdict::Thin(thin) } else { Verdict::GoOn };
        }
        let failed = self.breaks(candidate, live).or_else(|| match differing {
            Some(differing) => self.differing(differing, calls),
            None => self.slower(candidate, live).or_else(|| self.outcomes(candidate, live)),
        });
        match failed {
            Some(failed) => Verdict::Failed(failed),
            None if time_is_up => {
                Verdict::Passed(format!("{calls} calls in {} ms, all gates passed", self.duration_ms))
            }
            None => Verdict::GoOn,
        }
    }

    /// Returns why the candidate fails, if it traps, decides nothing or misses a deadline more often than it may.
    fn breaks(&self, candidate: &Figures, live: &Figures) -> Option<String> {
        let ways = [
            ("trapped", candidate.traps, live.traps, self.trap_percent_max),
            (
                "came to no decision (other, unavailable, conflict)",
                candidate.undecided,
                live.undecided,
                self.trap_percent_max,
            ),
            ("missed a deadline", candidate.deadlines, live.deadlines, self.deadline_percent_max),
        ];
        ways.into_iter().find_map(|(what, faults, live_faults, percent_max)| {
            self.faults(what, faults, candidate, (live_faults, live.calls), percent_max)
        })
    }

    /// Returns why the candidate fails, if it has more of these faults than it may, and more than the live version has.
    fn faults(
        &self,
        what: &str,
        faults: u64,
        candidate: &Figures,
        (live_faults, live_calls): (u64, u64),
        percent_max: f64,
    ) -> Option<String> {
        let calls = candidate.calls;
        let over = is_more(faults, calls, percent_max / 100.0);
        let worse = live_faults == 0 || is_other((faults, calls), (live_faults, live_calls));
        (over && worse).then(|| {
            format!(
                "{faults} of {calls} calls {what} ({:.1} %, {percent_max} % may), of the live version's {live_faults} of {live_calls}",
                percent(faults, calls)
            )
        })
    }

    fn differing(&self, differing: u64, calls: u64) -> Option<String> {
        let percent_max = self.outcome_percent_max;
        is_more(differing, calls, percent_max / 100.0).then(|| {
            format!(
                "{differing} of {calls} calls differ from the live version's ({:.1} %, {percent_max} % may)",
                percent(differing, calls)
            )
        })
    }

    fn slower(&self, candidate: &Figures, live: &Figures) -> Option<String> {
        if live.calls < LIVE_CALLS_MIN {
            return None;
        }
        let (p99, live_p99) = (candidate.p99_micros(), live.p99_micros());
        let allowed = as_float(live_p99) * self.p99_percent_max / 100.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive; a cast saturates")]
        let slower = candidate.slower_than(allowed as u64);
        is_more(slower, candidate.calls, SLOWER_SHARE).then(|| {
            let max = self.p99_percent_max;
            format!(
                "the p99 is {p99} µs, {:.0} % of the live version's {live_p99} µs; {max} % may be",
                percent(p99, live_p99)
            )
        })
    }

    fn outcomes(&self, candidate: &Figures, live: &Figures) -> Option<String> {
        if live.calls < LIVE_CALLS_MIN {
            return None;
        }
        let words: BTreeSet<_> = candidate.outcomes.keys().chain(live.outcomes.keys()).collect();
        // Shares of the calls that have an outcome; the other gates judge how many have none.
        let all = |figures: &Figures| figures.outcomes.values().sum::<u64>();
        words.into_iter().find_map(|outcome| {
            let count = |figures: &Figures| figures.outcomes.get(outcome).copied().unwrap_or(0);
            let (of_candidate, of_live) = ((count(candidate), all(candidate)), (count(live), all(live)));
            let (share, live_share) = (percent(of_candidate.0, of_candidate.1), percent(of_live.0, of_live.1));
            let apart = (share - live_share).abs() > self.outcome_percent_max;
            (apart && is_other(of_candidate, of_live)).then(|| {
                format!(
                    "{share:.1} % of its calls end as {outcome}, {live_share:.1} % of the live version's; {} points may lie between",
                    self.outcome_percent_max
                )
            })
        })
    }
}

/// Returns whether a rate of at most `share` yields `hits` of `calls` with a probability below [`CHANCE_MAX`].
fn is_more(hits: u64, calls: u64, share: f64) -> bool {
    if hits == 0 || share >= 1.0 {
        return false;
    }
    // P(at least `hits`) = 1 - P(at most `hits - 1`).
    Binomial::new(share, calls).is_ok_and(|binomial| binomial.sf(hits - 1) < CHANCE_MAX)
}

/// Returns whether two shares differ by more than chance, by Fisher's exact test with [`CHANCE_MAX`].
fn is_other((hits, calls): (u64, u64), (live_hits, live_calls): (u64, u64)) -> bool {
    let (all, of_all) = (calls + live_calls, hits + live_hits);
    // Testing the rarer of hits and misses gives the same result with a shorter sum.
    let (hits, of_all) = if of_all > all / 2 { (calls - hits, all - of_all) } else { (hits, of_all) };
    let Ok(chance) = Hypergeometric::new(all, of_all, calls) else { return false };
    let at_most = chance.cdf(hits);
    let at_least = if hits == 0 { 1.0 } else { chance.sf(hits - 1) };
    at_most.min(at_least) * 2.0 < CHANCE_MAX
}

fn percent(part: u64, whole: u64) -> f64 {
    as_float(part) * 100.0 / as_float(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls, for shares: a few digits are enough")]
const fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{Mode, Plan, PlanChanges, Tally},
        *,
    };
    use crate::{
        config::{Settings, Sources},
        failure::{Cause, Failure, Fault, Undecided},
        hooks::{Installation, Kind},
    };

    const AT: Installation = Installation::of(Kind::Checkout);

    fn gates() -> Gates {
        let settings = Settings::load(&Sources::defaults()).expect("usable");
        let changes = PlanChanges { calls_min: Some(50), ..PlanChanges::default() };
        Plan::new(Mode::Canary { percent: 10.0 }, &settings.rollout, changes).expect("a plan").gates
    }

    fn trap() -> Failure {
        Fault { at: AT, cause: Cause::Trap { message: String::new() } }.into()
    }

    fn deadline() -> Failure {
        Fault { at: AT, cause: Cause::Cpu { after_ms: 50, setting: "guest_cpu_ms" } }.into()
    }

    fn rejected() -> Failure {
        Failure::Rejected { code: String::new(), message: String::new() }
    }

    /// Returns the figures of `calls` calls; `call` says how each ends and how many µs it takes.
    fn figures(calls: u64, call: impl Fn(u64) -> (Result<(), Failure>, u64)) -> Figures {
        let tally = Tally::default();
        for number in 0..calls {
            let (result, micros) = call(number);
            tally.count(AT, &result, Duration::from_micros(micros));
        }
        tally.figures()
    }

    fn sound(calls: u64) -> Figures {
        figures(calls, |number| (Ok(()), 100 + number % 50))
    }

    #[test]
    fn a_candidate_that_breaks_fails_its_gate() {
        let check = |candidate: &Figures, live: &Figures, expected: &str| {
            let verdict = gates().verdict(candidate, live, None, false);
            assert!(matches!(&verdict, Verdict::Failed(why) if why.contains(expected)), "{expected}: {verdict:?}");
        };
        let one_in = |n: u64, failure: fn() -> Failure| {
            move |number: u64| (if number.is_multiple_of(n) { Err(failure()) } else { Ok(()) }, 100)
        };
        check(&figures(50, one_in(5, trap)), &sound(450), "10 of 50 calls trapped (20.0 %");
        check(&figures(50, one_in(5, deadline)), &sound(450), "10 of 50 calls missed a deadline");
        check(&figures(50, one_in(5, trap)), &figures(5, |_| (Ok(()), 100)), "trapped");
        check(&figures(400, one_in(3, rejected)), &sound(3_600), "end as ok, 100.0 % of the live version's");
        check(&figures(100, |_| (Ok(()), 1_000)), &sound(900), "the p99 is");
        let with_slow_ones = figures(1_000, |number| (Ok(()), if number.is_multiple_of(20) { 5_000 } else { 100 }));
        check(&with_slow_ones, &sound(9_000), "the p99 is");
    }

    #[test]
    fn a_candidate_that_is_like_the_live_one_passes() {
        let both = |call: fn(u64) -> (Result<(), Failure>, u64)| {
            for calls in [50, 100, 1_000, 20_000] {
                let verdict = gates().verdict(&figures(calls, call), &figures(9 * calls, call), None, true);
                assert!(matches!(verdict, Verdict::Passed(_)), "{calls}: {verdict:?}");
            }
        };
        both(|_| (Ok(()), 100));
        both(|number| (if number.is_multiple_of(3) { Err(trap()) } else { Ok(()) }, 100));
        both(|number| (if number.is_multiple_of(2) { Err(rejected()) } else { Ok(()) }, 100));
        both(|number| (Ok(()), if number.is_multiple_of(90) { 2_000_000 } else { 100 }));
    }

    #[test]
    fn chance_closes_no_gate() {
        // Two faults among fifty calls are no evidence of a rate.
        let unlucky = figures(50, |number| (if number < 2 { Err(trap()) } else { Ok(()) }, 100));
        assert_eq!(gates().verdict(&unlucky, &sound(450), None, false), Verdict::GoOn);
        // Faults don't change the outcomes of the other calls.
        let unlucky = figures(55, |number| (if number < 7 { Err(trap()) } else { Ok(()) }, 100));
        assert_eq!(gates().verdict(&unlucky, &sound(500), None, false), Verdict::GoOn);
        assert!(!is_more(3, 100, 0.01) && is_more(20, 100, 0.01));
        assert!(!is_other((10, 50), (60, 450)) && is_other((30, 50), (60, 450)));
        assert!(!is_other((0, 50), (0, 450)) && !is_other((50, 50), (450, 450)));
        assert!(is_other((0, 500), (2_250, 4_500)));
    }

    #[test]
    fn what_others_did_counts_for_nothing() {
        let others = figures(100, |number| match number % 3 {
            0 => (
                Err(Fault { at: Installation::of(Kind::Inventory), cause: Cause::Trap { message: String::new() } }
                    .into()),
                100,
            ),
            1 => (Err(Failure::Overloaded("instances")), 100),
            _ => (Ok(()), 100),
        });
        assert_eq!((others.calls, others.traps), (33, 0));
    }

    #[test]
    fn thin_traffic_decides_nothing() {
        let some_trap = figures(49, |number| (if number < 5 { Err(trap()) } else { Ok(()) }, 100));
        assert_eq!(gates().verdict(&some_trap, &figures(20, |_| (Ok(()), 100)), None, false), Verdict::GoOn);
        assert!(matches!(gates().verdict(&sound(49), &sound(450), None, true), Verdict::Thin(_)));
    }

    /// Issue 14.3: a candidate that failed 33 of 33 calls, against 0 of 30, was only judged at its hundredth call.
    #[test]
    fn overwhelming_evidence_needs_no_more_calls() {
        let undecided = || Failure::Other(Undecided { by: Some(AT), message: String::new() });
        for failure in [trap, deadline, undecided] {
            let all_fail = figures(33, |_| (Err(failure()), 100));
            let verdict = gates().verdict(&all_fail, &figures(30, |_| (Ok(()), 100)), None, false);
            assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
            // If the live version fails as often, or has no calls yet, the gates wait for `calls_min`.
            assert_eq!(gates().verdict(&all_fail, &all_fail, None, false), Verdict::GoOn);
            assert_eq!(gates().verdict(&all_fail, &figures(0, |_| (Ok(()), 100)), None, false), Verdict::GoOn);
        }
    }

    #[test]
    fn a_shadow_fails_by_its_differences() {
        let differing =
            |calls: u64, differing: u64| gates().verdict(&sound(calls), &sound(calls), Some(differing), true);
        assert!(matches!(differing(1_000, 10), Verdict::Passed(_)));
        assert!(matches!(differing(1_000, 200), Verdict::Failed(why) if why.contains("200 of 1000 calls differ")));
    }
}
