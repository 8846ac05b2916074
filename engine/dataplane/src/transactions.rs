//! The transactions of one worker with the bytes they send, and their timers on the wheel.
//!
//! `sip-core`'s machines say what to do; this owner does it: keeps the latest response or the request, sends and repeats,
//! and tells the caller what goes up to the transaction user.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use sip_core::time::{TimerValues, Timestamp};
use sip_core::transaction::key::{ClientKey, TransactionKey};
use sip_core::transaction::{Action, Event, Kind, Transaction};

use crate::net::Outbox;
use crate::recent::Recent;
use crate::slab::{Id, Slab};
use crate::wheel::TimerWheel;
use crate::worker::Token;

pub(crate) type ServerId = Id<Server>;
pub(crate) type ClientId = Id<Client>;

/// A server transaction: a request that came, and our latest response to it.
pub(crate) struct Server {
    machine: Transaction,
    key: TransactionKey,
    destination: SocketAddr,
    socket: usize,
    response: Vec<u8>,
    scheduled: Timestamp,
    /// The response context that answers it.
    pub(crate) context: Option<crate::proxy::ContextId>,
}

/// A client transaction: a request that we sent.
pub(crate) struct Client {
    machine: Transaction,
    key: ClientKey,
    pub(crate) destination: SocketAddr,
    pub(crate) socket: usize,
    request: Box<[u8]>,
    scheduled: Timestamp,
    /// Who hears what becomes of it.
    pub(crate) user: ClientUser,
}

impl Client {
    /// The request as it was sent.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }
}

/// The transaction user of a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientUser {
    /// A branch of a response context.
    Branch(crate::proxy::ContextId, u8),
    /// Nobody: a CANCEL or BYE of our own, whose answer changes nothing.
    Nobody,
}

/// What the caller has to do about a transaction after an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "four independent signals of one event"
)]
pub(crate) struct Signals {
    /// The message goes to the transaction user.
    pub(crate) pass: bool,
    /// Timers B, F or H.
    pub(crate) timeout: bool,
    /// A 300–699 of an INVITE is to be acknowledged (RFC 3261 §17.1.1.3).
    pub(crate) acknowledge: bool,
    /// It is gone.
    pub(crate) terminated: bool,
}

/// What a transaction needs of its worker.
pub(crate) struct Io<'w> {
    pub(crate) outbox: &'w mut Outbox,
    pub(crate) wheel: &'w mut TimerWheel<Token>,
    pub(crate) now: Timestamp,
}

#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    // The keys are keyed hashes already: any 64 bits of them are as good as another hash.
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_ne_bytes(word);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

type KeyMap<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

pub(crate) struct Transactions {
    timers: TimerValues,
    servers: Slab<Server>,
    by_key: KeyMap<TransactionKey, ServerId>,
    clients: Slab<Client>,
    by_client_key: KeyMap<ClientKey, ClientId>,
    sent: Recent<ClientId>,
}

impl Transactions {
    pub(crate) fn new(timers: TimerValues) -> Self {
        Self {
            timers,
            servers: Slab::new(),
            by_key: KeyMap::default(),
            clients: Slab::new(),
            by_client_key: KeyMap::default(),
            sent: Recent::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    pub(crate) fn find_server(&self, key: TransactionKey) -> Option<ServerId> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn find_client(&self, key: ClientKey) -> Option<ClientId> {
        self.by_client_key.get(&key).copied()
    }

    /// Clients whose request, or a repetition of it, was among the last that were sent there. Some may be gone.
    pub(crate) fn recently_sent_to(&self, destination: SocketAddr) -> Vec<ClientId> {
        self.sent.to(destination)
    }

    pub(crate) fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(id)
    }

    pub(crate) fn server_mut(&mut self, id: ServerId) -> Option<&mut Server> {
        self.servers.get_mut(id)
    }

    pub(crate) fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(id)
    }

    /// A new server transaction; the caller has looked for one with this key before.
    pub(crate) fn open_server(
        &mut self,
        key: TransactionKey,
        is_invite: bool,
        destination: SocketAddr,
        socket: usize,
        io: &mut Io<'_>,
    ) -> ServerId {
        let kind = if is_invite {
            Kind::InviteServer
        } else {
            Kind::NonInviteServer
        };
        let machine = Transaction::new(kind, false, &self.timers, io.now);
        let id = self.servers.insert(Server {
            machine,
            key,
            destination,
            socket,
            response: Vec::new(),
            scheduled: Timestamp::MAX,
            context: None,
        });
        self.by_key.insert(key, id);
        id
    }

    /// A retransmission of the request, or the ACK to our final response.
    pub(crate) fn server_event(&mut self, id: ServerId, event: Event, io: &mut Io<'_>) -> Signals {
        let Some(server) = self.servers.get_mut(id) else {
            return Signals::default();
        };
        let actions = server.machine.handle(event, &self.timers, io.now);
        self.run_server(id, actions, io)
    }

    /// Send `response` with `status`, now and again as the machine wants it.
    pub(crate) fn respond(
        &mut self,
        id: ServerId,
        status: u16,
        response: Vec<u8>,
        io: &mut Io<'_>,
    ) -> Signals {
        let Some(server) = self.servers.get_mut(id) else {
            return Signals::default();
        };
        let event = match status {
            ..=199 => Event::Provisional,
            200..=299 => Event::Success,
            _ => Event::Failure,
        };
        let before = std::mem::replace(&mut server.response, response);
        let actions = server.machine.handle(event, &self.timers, io.now);
        if !actions.contains(&Action::SendResponse) {
            // The machine took no notice: a second final response does not replace the first.
            server.response = before;
        }
        self.run_server(id, actions, io)
    }

    fn run_server(&mut self, id: ServerId, actions: &[Action], io: &mut Io<'_>) -> Signals {
        let mut signals = Signals::default();
        let Some(server) = self.servers.get_mut(id) else {
            return signals;
        };
        for action in actions {
            match action {
                Action::SendResponse | Action::ResendResponse => {
                    io.outbox
                        .push(server.socket, server.destination, &server.response);
                }
                Action::PassToUser => signals.pass = true,
                Action::InformTimeout => signals.timeout = true,
                Action::Terminate => signals.terminated = true,
                _ => {}
            }
        }
        if signals.terminated {
            self.by_key.remove(&server.key);
            self.servers.remove(id);
        } else if let Some(deadline) = server.machine.poll_timeout()
            && deadline < server.scheduled
        {
            server.scheduled = deadline;
            io.wheel.insert(deadline, Token::Server(id));
        }
        signals
    }

    pub(crate) fn server_timeout(&mut self, id: ServerId, io: &mut Io<'_>) -> Signals {
        let mut all = Signals::default();
        if let Some(server) = self.servers.get_mut(id) {
            server.scheduled = Timestamp::MAX;
        }
        while let Some(server) = self.servers.get_mut(id) {
            let actions = server.machine.handle_timeout(&self.timers, io.now);
            let signals = self.run_server(id, actions.unwrap_or(&[]), io);
            all.timeout |= signals.timeout;
            all.terminated |= signals.terminated;
            if actions.is_none() {
                break;
            }
        }
        all
    }

    /// Send `request` as a new client transaction; its Via carries the branch that `key` was made of.
    pub(crate) fn open_client(
        &mut self,
        key: ClientKey,
        is_invite: bool,
        request: Box<[u8]>,
        (socket, destination): (usize, SocketAddr),
        user: ClientUser,
        io: &mut Io<'_>,
    ) -> ClientId {
        let t1 = self.timers.t1;
        self.open_hurried(key, is_invite, request, (socket, destination), user, t1, io)
    }

    /// The same with a first repetition after `first_repetition` in place of T1.
    #[allow(clippy::too_many_arguments, reason = "those of a client transaction")]
    pub(crate) fn open_hurried(
        &mut self,
        key: ClientKey,
        is_invite: bool,
        request: Box<[u8]>,
        (socket, destination): (usize, SocketAddr),
        user: ClientUser,
        first_repetition: Duration,
        io: &mut Io<'_>,
    ) -> ClientId {
        let kind = if is_invite {
            Kind::InviteClient
        } else {
            Kind::NonInviteClient
        };
        let machine = Transaction::new(kind, false, &self.timers, io.now)
            .repeating_after(first_repetition, io.now);
        let id = self.clients.insert(Client {
            machine,
            key,
            destination,
            socket,
            request,
            scheduled: Timestamp::MAX,
            user,
        });
        self.by_client_key.insert(key, id);
        self.run_client(id, kind.initial_actions(), io);
        id
    }

    /// A response came, or the transaction user gives up (`Event::Abandon`).
    pub(crate) fn client_event(&mut self, id: ClientId, event: Event, io: &mut Io<'_>) -> Signals {
        let Some(client) = self.clients.get_mut(id) else {
            return Signals::default();
        };
        let actions = client.machine.handle(event, &self.timers, io.now);
        self.run_client(id, actions, io)
    }

    fn run_client(&mut self, id: ClientId, actions: &[Action], io: &mut Io<'_>) -> Signals {
        let mut signals = Signals::default();
        let Some(client) = self.clients.get_mut(id) else {
            return signals;
        };
        for action in actions {
            match action {
                Action::SendRequest | Action::ResendRequest => {
                    self.sent.note(client.destination, id);
                    io.outbox
                        .push(client.socket, client.destination, &client.request);
                }
                Action::SendAck => signals.acknowledge = true,
                Action::PassToUser => signals.pass = true,
                Action::InformTimeout | Action::InformTransportError => signals.timeout = true,
                Action::Terminate => signals.terminated = true,
                _ => {}
            }
        }
        if signals.terminated {
            self.by_client_key.remove(&client.key);
        } else if let Some(deadline) = client.machine.poll_timeout()
            && deadline < client.scheduled
        {
            client.scheduled = deadline;
            io.wheel.insert(deadline, Token::Client(id));
        }
        signals
    }

    pub(crate) fn client_timeout(&mut self, id: ClientId, io: &mut Io<'_>) -> Signals {
        let mut all = Signals::default();
        if let Some(client) = self.clients.get_mut(id) {
            client.scheduled = Timestamp::MAX;
        }
        while let Some(client) = self.clients.get_mut(id) {
            if client.machine.is_terminated() {
                break;
            }
            let actions = client.machine.handle_timeout(&self.timers, io.now);
            let signals = self.run_client(id, actions.unwrap_or(&[]), io);
            all.timeout |= signals.timeout;
            all.terminated |= signals.terminated;
            if actions.is_none() {
                break;
            }
        }
        all
    }

    /// Destroy a terminated client transaction, after its user was told. A living one stays.
    pub(crate) fn bury_client(&mut self, id: ClientId) {
        if self
            .clients
            .get(id)
            .is_some_and(|client| client.machine.is_terminated())
        {
            self.clients.remove(id);
        }
    }
}
