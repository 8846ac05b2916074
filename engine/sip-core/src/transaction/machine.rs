//! The words of the four machines, and the index that makes their tables fast.

/// Which of the four machines of RFC 3261 §17 a transaction runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// We sent an INVITE (RFC 3261 §17.1.1, RFC 6026 §7.2).
    InviteClient,
    /// We sent any other request but ACK (RFC 3261 §17.1.2).
    NonInviteClient,
    /// We received an INVITE (RFC 3261 §17.2.1, RFC 6026 §7.1).
    InviteServer,
    /// We received any other request but ACK (RFC 3261 §17.2.2).
    NonInviteServer,
}

/// The state of a transaction; each machine uses some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// INVITE client: sent, nothing heard.
    Calling,
    /// Non-INVITE: nothing answered yet.
    Trying,
    /// A provisional response came or went; INVITE servers start here.
    Proceeding,
    /// A final response came or went, retransmissions are absorbed; for INVITE only a 300–699.
    Completed,
    /// INVITE server: the ACK to a 300–699 came.
    Confirmed,
    /// INVITE: a 2xx came or went, RFC 6026.
    Accepted,
    /// Over: the transaction is to be destroyed.
    Terminated,
}

/// The timers of table 4 in RFC 3261 annex A and of RFC 6026 §7.1, §7.2 that belong to transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Timer {
    /// INVITE request retransmission, unreliable transports only: T1, doubled each time.
    A,
    /// INVITE client gives up: 64·T1.
    B,
    /// INVITE client absorbs responses: at least 32 s, 0 when reliable.
    D,
    /// Non-INVITE request retransmission, unreliable only: T1, doubled up to T2; T2 after a provisional response.
    E,
    /// Non-INVITE client gives up: 64·T1.
    F,
    /// INVITE final response retransmission, unreliable only: T1, doubled up to T2.
    G,
    /// INVITE server waits for the ACK: 64·T1.
    H,
    /// INVITE server absorbs ACKs: T4, 0 when reliable.
    I,
    /// Non-INVITE server absorbs requests: 64·T1, 0 when reliable.
    J,
    /// Non-INVITE client absorbs responses: T4, 0 when reliable.
    K,
    /// INVITE server absorbs INVITEs after a 2xx: 64·T1 on every transport.
    L,
    /// INVITE client passes 2xx up: 64·T1 on every transport.
    M,
}

/// What happened to a transaction. On the client side responses were *received*, on the server side the TU *sends* them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Server: a retransmission of the request came.
    Request,
    /// INVITE server: an ACK that matches came.
    Ack,
    /// A response 100–199.
    Provisional,
    /// A response 200–299.
    Success,
    /// A response 300–699.
    Failure,
    /// The transport could not send, or reported so later (RFC 3261 §17.1.4, §17.2.4).
    TransportError,
    /// The TU wants no more of it: a branch cancelled without answer (RFC 3261 §9.1), Timer C, shutdown.
    Abandon,
    /// INVITE client: the TU wants the request sent once more out of turn, also after a provisional response. The server
    /// transaction answers with its latest provisional (§17.2.1), which may have been lost on its way.
    Repeat,
    /// A timer fired.
    Timer(Timer),
}

/// What the owner of a transaction has to do, in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Client: send the request for the first time.
    SendRequest,
    /// Client: send the same bytes of the request again.
    ResendRequest,
    /// INVITE client: send the ACK to this 300–699, made as RFC 3261 §17.1.1.3 says, the same one each time.
    SendAck,
    /// Server: send the response that the TU passed, and keep it as the latest one.
    SendResponse,
    /// Server: send the latest response again; nothing if there is none yet.
    ResendResponse,
    /// The message of this event goes to the TU.
    PassToUser,
    /// Tell the TU that no answer (Timers B, F: as if 408 came) or no ACK (Timer H) came in time.
    InformTimeout,
    /// Tell the TU that the transport failed (as if 503 came, RFC 3261 §8.1.3.1).
    InformTransportError,
    /// A timer starts; [`super::Transaction`] has done that.
    Start(Timer),
    /// A timer stops; [`super::Transaction`] has done that.
    Stop(Timer),
    /// Destroy the transaction.
    Terminate,
}

/// One row of a machine's table: in `from`, on `on`, go to `to` and do `actions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// What happened.
    pub on: Event,
    /// The state after.
    pub to: State,
    /// What to do, in order.
    pub actions: &'static [Action],
}

impl Kind {
    /// All four, in the order of RFC 3261 §17.
    pub const ALL: [Self; 4] = [
        Self::InviteClient,
        Self::NonInviteClient,
        Self::InviteServer,
        Self::NonInviteServer,
    ];

    /// The state a transaction of this kind is born in.
    pub const fn initial_state(self) -> State {
        self.machine().initial
    }

    /// What there is to do when a transaction of this kind is born.
    pub const fn initial_actions(self) -> &'static [Action] {
        self.machine().opening
    }

    /// The machine's rules; what is not in the table is ignored.
    pub const fn transitions(self) -> &'static [Transition] {
        self.machine().transitions
    }

    /// The row for `event` in `state`, if the machine has one.
    pub fn transition(self, state: State, event: Event) -> Option<&'static Transition> {
        let machine = self.machine();
        let row = machine.index[state as usize][event.ordinal()];
        machine.transitions.get(usize::from(row))
    }

    const fn machine(self) -> &'static Machine {
        match self {
            Self::InviteClient => &super::invite_client::MACHINE,
            Self::NonInviteClient => &super::non_invite_client::MACHINE,
            Self::InviteServer => &super::invite_server::MACHINE,
            Self::NonInviteServer => &super::non_invite_server::MACHINE,
        }
    }
}

impl State {
    /// All states, in the order a call passes them.
    pub const ALL: [Self; 7] = [
        Self::Calling,
        Self::Trying,
        Self::Proceeding,
        Self::Completed,
        Self::Confirmed,
        Self::Accepted,
        Self::Terminated,
    ];
}

impl Timer {
    /// All timers of transactions.
    pub const ALL: [Self; 12] = [
        Self::A,
        Self::B,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
    ];

    /// Whether this timer repeats a message (A, E, G), which reliable transports do not need.
    pub const fn retransmits(self) -> bool {
        matches!(self, Self::A | Self::E | Self::G)
    }
}

impl Event {
    /// All events, timers last.
    pub const ALL: [Self; EVENTS] = {
        let mut all = [Self::Request; EVENTS];
        all[1] = Self::Ack;
        all[2] = Self::Provisional;
        all[3] = Self::Success;
        all[4] = Self::Failure;
        all[5] = Self::TransportError;
        all[6] = Self::Abandon;
        all[7] = Self::Repeat;
        let mut timer = 0;
        while timer < Timer::ALL.len() {
            all[PLAIN_EVENTS + timer] = Self::Timer(Timer::ALL[timer]);
            timer += 1;
        }
        all
    };

    const fn ordinal(self) -> usize {
        match self {
            Self::Request => 0,
            Self::Ack => 1,
            Self::Provisional => 2,
            Self::Success => 3,
            Self::Failure => 4,
            Self::TransportError => 5,
            Self::Abandon => 6,
            Self::Repeat => 7,
            Self::Timer(timer) => PLAIN_EVENTS + timer as usize,
        }
    }
}

const PLAIN_EVENTS: usize = 8;
const EVENTS: usize = PLAIN_EVENTS + Timer::ALL.len();
const NO_ROW: u8 = u8::MAX;

/// A table with its start and an index from state and event to the row.
pub(super) struct Machine {
    initial: State,
    opening: &'static [Action],
    transitions: &'static [Transition],
    index: [[u8; EVENTS]; State::ALL.len()],
}

impl Machine {
    /// Indexes the table while compiling; two rows for one state and event do not compile.
    pub(super) const fn new(
        initial: State,
        opening: &'static [Action],
        transitions: &'static [Transition],
    ) -> Self {
        assert!(
            transitions.len() < NO_ROW as usize,
            "a row number fits the index"
        );
        let mut index = [[NO_ROW; EVENTS]; State::ALL.len()];
        let mut row = 0;
        while row < transitions.len() {
            let transition = transitions[row];
            let cell = &mut index[transition.from as usize][transition.on.ordinal()];
            assert!(*cell == NO_ROW, "a state and event have one row");
            *cell = row as u8;
            row += 1;
        }
        Self {
            initial,
            opening,
            transitions,
            index,
        }
    }
}

/// Writes a row as it reads in the RFC's figures.
pub(super) const fn row(
    from: State,
    on: Event,
    to: State,
    actions: &'static [Action],
) -> Transition {
    Transition {
        from,
        on,
        to,
        actions,
    }
}
