//! The channel between the callers and the writer: a queue that wakes the writer only for a command that somebody waits for.
//!
//! A wake costs more than most commands. A command that may rest is queued without one, unless the writer sleeps without a
//! timeout: then nothing else would come to carry it out.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::{
    command::{Command, Lane},
    queue::Carrier,
};

/// Returns both ends of a channel. The caller of [`Sender::send`] sees to the limit.
pub(super) fn channel() -> (Sender, Receiver) {
    let shared = Arc::new(Shared::default());
    (Sender(Arc::clone(&shared)), Receiver { shared, taken: VecDeque::new() })
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    receiver: At,
    sender_is_gone: bool,
}

/// What the receiver is doing.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Work,
    /// Waits with a timeout, after which it looks at what is queued.
    Rest,
    /// Waits for any command.
    Sleep,
    Gone,
}

/// The callers' end. There is one, which they share.
pub(in crate::store) struct Sender(Arc<Shared>);

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Carrier for Sender {
    /// Queues the command, and returns whether there is a receiver.
    fn send(&self, command: Command) -> bool {
        let (lane, _) = command.terms();
        let mut state = self.0.state.lock();
        let wakes = match state.receiver {
            At::Gone => return false,
            At::Work => false,
            At::Rest => lane != Lane::Rest,
            At::Sleep => true,
        };
        state.commands.push_back(command);
        if wakes {
            // Whatever comes before the receiver is awake needs no second wake.
            state.receiver = At::Work;
            drop(state);
            self.0.arrived.notify_one();
        }
        true
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.state.lock().sender_is_gone = true;
        self.0.arrived.notify_one();
    }
}

/// The writer's end.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    /// Commands that were taken out of the channel together, under one lock.
    taken: VecDeque<Command>,
}

/// What came of waiting for a command.
pub(super) enum Received {
    Command(Command),
    TimedOut,
    /// The sender is gone, and all its commands are received.
    Closed,
}

impl Receiver {
    /// Returns the next command that is queued already.
    pub(super) fn try_receive(&mut self) -> Option<Command> {
        if self.taken.is_empty() {
            mem::swap(&mut self.taken, &mut self.shared.state.lock().commands);
        }
        self.taken.pop_front()
    }

    /// Waits for the next command for at most `timeout`: for one that may rest until then, for another until it comes. Without a
    /// timeout the wait ends with any command.
    pub(super) fn receive(&mut self, timeout: Option<Duration>) -> Received {
        if let Some(command) = self.try_receive() {
            return Received::Command(command);
        }
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.state.lock();
        let mut is_over = false;
        while state.commands.is_empty() || state.receiver == At::Rest {
            if state.sender_is_gone || is_over {
                break;
            }
            match until {
                Some(until) => {
                    state.receiver = At::Rest;
                    is_over = self.shared.arrived.wait_until(&mut state, until).timed_out();
                }
                None => {
                    state.receiver = At::Sleep;
                    self.shared.arrived.wait(&mut state);
                }
            }
        }
        state.receiver = At::Work;
        mem::swap(&mut self.taken, &mut state.commands);
        match self.taken.pop_front() {
            Some(command) => Received::Command(command),
            None if state.sender_is_gone => Received::Closed,
            None => Received::TimedOut,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.receiver = At::Gone;
        let commands = mem::take(&mut state.commands);
        drop(state);
        // Outside of the lock: a command's caller learns of the end by it.
        drop(commands);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use tokio::sync::oneshot;

    use super::{
        super::{
            OrderId, StoreError,
            command::{Take, UpkeepCommand},
            queue::Reply,
        },
        *,
    };
    use crate::store::Taker;

    const LONG: Option<Duration> = Some(Duration::from_secs(3_600));
    const SHORT: Option<Duration> = Some(Duration::from_millis(1));

    fn pressing() -> Command {
        let (reply, _) = oneshot::channel::<Result<(), StoreError>>();
        UpkeepCommand::Wake { reply: Reply::to(reply) }.into()
    }

    fn resting() -> Command {
        let (reply, _) = oneshot::channel();
        let taker = Taker::Order(OrderId::new(1).expect("a number"));
        let take = Take { taker, pieces: Arc::default(), was_ahead: true, reply: Reply::to(reply) };
        super::super::command::ReservationCommand::Take(take).into()
    }

    fn until(sender: &Sender, at: At) {
        while sender.0.state.lock().receiver != at {
            thread::yield_now();
        }
    }

    #[test]
    fn a_command_that_may_rest_wakes_only_who_sleeps_without_a_timeout() {
        let (sender, mut receiver) = channel();
        let receiving = thread::spawn(move || (receiver.receive(None), receiver));
        until(&sender, At::Sleep);
        assert!(sender.send(resting()));
        let (received, mut receiver) = receiving.join().expect("no panic");
        assert!(matches!(received, Received::Command(_)));

        let receiving = thread::spawn(move || (receiver.receive(LONG), receiver));
        until(&sender, At::Rest);
        assert!(sender.send(resting()));
        assert!(sender.0.state.lock().receiver == At::Rest, "goes on waiting");
        assert!(sender.send(pressing()));
        let (received, mut receiver) = receiving.join().expect("no panic");
        assert!(matches!(received, Received::Command(Command::Reservation(_))), "in their order");
        assert!(matches!(receiver.try_receive(), Some(Command::Upkeep(_))));
        assert!(receiver.try_receive().is_none());
    }

    #[test]
    fn what_rests_is_received_after_the_timeout_and_before_the_end() {
        let (sender, mut receiver) = channel();
        assert!(matches!(receiver.receive(SHORT), Received::TimedOut));
        assert!(sender.send(resting()));
        assert!(matches!(receiver.receive(SHORT), Received::Command(_)));
        assert!(sender.send(resting()));
        drop(sender);
        assert!(matches!(receiver.receive(None), Received::Command(_)));
        assert!(matches!(receiver.receive(None), Received::Closed));
        assert!(matches!(receiver.receive(LONG), Received::Closed));
    }

    #[test]
    fn nothing_is_sent_to_who_is_gone() {
        let (sender, receiver) = channel();
        drop(receiver);
        assert!(!sender.send(pressing()));
    }
}
