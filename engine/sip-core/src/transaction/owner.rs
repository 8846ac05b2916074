//! One running transaction: state and timers, in 24 bytes.

use core::time::Duration;

use super::machine::{Action, Event, Kind, State, Timer};
use crate::time::{TimerValues, Timestamp};

/// One transaction on a virtual clock.
///
/// At most two timers run at a time in every state of every machine: one that repeats a message (A, E or G) and one that
/// ends the state (B, D, F, H…M). So there are two deadlines, and the timer of the second is kept by name.
///
/// It never fails and never panics: an event that the machine does not take in its state gives no actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    repeat_at: Timestamp,
    end_at: Timestamp,
    /// Interval of the repeating timer in microseconds, as it was last started; 0 before that.
    interval_us: u32,
    end_timer: Timer,
    kind: Kind,
    state: State,
    reliable: bool,
}

/// A deadline that never comes.
const STOPPED: Timestamp = Timestamp::MAX;

impl Transaction {
    /// A transaction in its first state, with its first timers running.
    ///
    /// The caller does what [`Kind::initial_actions`] says: a client sends the request, a server passes it up. `reliable`
    /// is the transport's nature (TCP, TLS, SCTP); it cannot change during a transaction (RFC 3261 §18.1.1).
    pub fn new(kind: Kind, reliable: bool, timers: &TimerValues, now: Timestamp) -> Self {
        let mut transaction = Self {
            repeat_at: STOPPED,
            end_at: STOPPED,
            interval_us: 0,
            end_timer: Timer::B,
            kind,
            state: kind.initial_state(),
            reliable,
        };
        transaction.run_timers(kind.initial_actions(), timers, now);
        transaction
    }

    /// The same with a Timer A that starts with `first_repetition` in place of T1: RFC 3261 §17.1.1.1 allows a smaller
    /// T1 within a closed network. It doubles as ever, and all other timers keep their length.
    #[must_use]
    pub fn repeating_after(mut self, first_repetition: Duration, now: Timestamp) -> Self {
        if self.interval_us != 0 {
            self.interval_us = micros(first_repetition).max(1);
            self.repeat_at = not_never(now + Duration::from_micros(self.interval_us.into()));
        }
        self
    }

    /// Takes an event and says what to do for it, in order; nothing if the event has no meaning in this state.
    ///
    /// `Start` and `Stop` are among the actions for the reader of a trace; they are already done. A timer that is not
    /// running cannot fire: [`Event::Timer`] belongs to [`Self::handle_timeout`] and is ignored here unless it runs.
    pub fn handle(
        &mut self,
        event: Event,
        timers: &TimerValues,
        now: Timestamp,
    ) -> &'static [Action] {
        if let Event::Timer(timer) = event {
            // Stopped first, so that no table can make a driver spin on one deadline.
            match self.deadline_mut(timer) {
                Some(deadline) if *deadline != STOPPED => *deadline = STOPPED,
                _ => return &[],
            }
        }
        let Some(transition) = self.kind.transition(self.state, event) else {
            return &[];
        };
        self.state = transition.to;
        self.run_timers(transition.actions, timers, now);
        transition.actions
    }

    /// Fires the timer that is due at `now`, the earlier first. To be called until it returns `None`.
    pub fn handle_timeout(
        &mut self,
        timers: &TimerValues,
        now: Timestamp,
    ) -> Option<&'static [Action]> {
        if self.poll_timeout()? > now {
            return None;
        }
        // The end goes first when both are due at once: a last repetition would come to nothing.
        let timer = if self.end_at <= self.repeat_at {
            self.end_timer
        } else {
            self.repeat_timer()
        };
        Some(self.handle(Event::Timer(timer), timers, now))
    }

    /// When [`Self::handle_timeout`] wants to be called next, if any timer runs.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        Some(self.repeat_at.min(self.end_at)).filter(|deadline| *deadline != STOPPED)
    }

    /// The state after all events so far.
    pub fn state(&self) -> State {
        self.state
    }

    /// Which machine this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is over and to be destroyed; no timer runs then.
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn run_timers(&mut self, actions: &[Action], timers: &TimerValues, now: Timestamp) {
        for action in actions {
            match *action {
                Action::Start(timer) => self.start(timer, timers, now),
                Action::Stop(timer) => {
                    if let Some(deadline) = self.deadline_mut(timer) {
                        *deadline = STOPPED;
                    }
                }
                _ => {}
            }
        }
    }

    fn start(&mut self, timer: Timer, timers: &TimerValues, now: Timestamp) {
        if timer.retransmits() {
            if !self.reliable {
                self.interval_us = next_interval(timer, self.state, self.interval_us, timers);
                // Counted from now, not from the missed deadline: a late driver must not answer with a burst.
                self.repeat_at = not_never(now + Duration::from_micros(self.interval_us.into()));
            }
        } else {
            self.end_timer = timer;
            self.end_at = not_never(now + life(timer, self.reliable, timers));
        }
    }

    fn repeat_timer(&self) -> Timer {
        match self.kind {
            Kind::InviteClient => Timer::A,
            Kind::NonInviteClient => Timer::E,
            Kind::InviteServer | Kind::NonInviteServer => Timer::G,
        }
    }

    /// The deadline that `timer` uses, if it is one of this transaction's at present.
    fn deadline_mut(&mut self, timer: Timer) -> Option<&mut Timestamp> {
        if timer == self.end_timer {
            Some(&mut self.end_at)
        } else if timer == self.repeat_timer() {
            Some(&mut self.repeat_at)
        } else {
            None
        }
    }
}

/// The interval after `previous` (0: the first) of a repeating timer.
///
/// Timer A doubles without limit, Timer B ends it (RFC 3261 §17.1.1.2). Timers E and G double up to T2 (§17.1.2.2, §17.2.1);
/// Timer E is T2 at once in Proceeding (§17.1.2.2).
fn next_interval(timer: Timer, state: State, previous: u32, timers: &TimerValues) -> u32 {
    let cap = if timer == Timer::A {
        u32::MAX
    } else {
        micros(timers.t2)
    };
    match (timer, state, previous) {
        (Timer::E, State::Proceeding, _) => cap,
        (_, _, 0) => micros(timers.t1),
        _ => previous.saturating_mul(2).min(cap),
    }
    // An interval of nothing would repeat for ever at one instant.
    .max(1)
}

/// How long a timer that ends a state runs (table 4 of RFC 3261; L and M: RFC 6026 §7.1, §7.2).
fn life(timer: Timer, reliable: bool, timers: &TimerValues) -> Duration {
    match timer {
        Timer::D | Timer::I | Timer::J | Timer::K if reliable => Duration::ZERO,
        Timer::D => timers.d,
        Timer::I | Timer::K => timers.t4,
        _ => timers.t1_64(),
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// A timer that is started must come, even at the end of time.
fn not_never(deadline: Timestamp) -> Timestamp {
    deadline.min(Timestamp::from_micros(u64::MAX - 1))
}
