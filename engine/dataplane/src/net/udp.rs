//! Datagram sockets that share one address among the workers (`SO_REUSEPORT`), read and written in batches.
//!
//! A core network's few peers send and take most of the packets, and most of one kind have one length. So neighbours of equal
//! length and peer cross the kernel as one train (`UDP_GRO`, `UDP_SEGMENT`) and its stack is walked once for all of them.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::errors::{NetworkError, SendFault, repetitions};
use super::sys::{ErrorBatch, ReceiveBatch, SendBatch, Train, accept_trains, queue_errors};

/// Datagrams taken per system call: large enough that the call's cost vanishes, small enough for the L2 cache.
pub(crate) const RECEIVE_BATCH: usize = 64;

/// A SIP message over UDP is at most this long; the kernel cuts what is longer, and the parser refuses the rest.
const DATAGRAM_SIZE: usize = 65_535;

/// Kernel buffers that ride out a scheduling gap of some 20 ms at 100,000 messages a second.
const KERNEL_BUFFER: usize = 8 << 20;

/// One worker's socket on one listen address.
pub(crate) struct UdpSocket {
    socket: Socket,
    local: SocketAddr,
    receive: ReceiveBatch,
    errors: ErrorBatch,
    /// The kernel takes trains; off after the first refusal.
    trains: Cell<bool>,
}

impl UdpSocket {
    /// Bind `address`; `SO_REUSEPORT` lets the other workers bind the same.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Less than asked for is no fault: the kernel's own limit rules.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.bind(&address.into())?;
        // Without it every datagram comes by itself, which is as right and only slower.
        accept_trains(socket.as_fd());
        // Without it an unreachable target is noticed by its silence.
        let _ = queue_errors(socket.as_fd(), address.is_ipv6());
        let local = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self {
            socket,
            local,
            receive: ReceiveBatch::new(RECEIVE_BATCH, DATAGRAM_SIZE),
            errors: ErrorBatch::new(),
            trains: Cell::new(true),
        })
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Take what waits, at most `RECEIVE_BATCH` buffers; read them with `datagrams`.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        self.receive.receive(self.socket.as_fd())
    }

    /// The datagrams in buffer `index` of the last `receive`, and where they came from.
    pub(crate) fn datagrams(
        &self,
        index: usize,
    ) -> impl ExactSizeIterator<Item = (&[u8], SocketAddr)> {
        let (bytes, source, segment) = self.receive.buffer(index).unwrap_or((&[], self.local, 1));
        bytes
            .chunks(segment)
            .map(move |datagram| (datagram, source))
    }

    /// Take ICMP errors that wait, a batch at most; 0 when none does. Read them with `errors`.
    pub(crate) fn receive_errors(&mut self) -> usize {
        self.errors.receive(self.socket.as_fd())
    }

    /// The error in place `index` of the last `receive_errors`; `None` if it does not say that a destination is unreachable.
    pub(crate) fn error(&self, index: usize) -> Option<NetworkError<'_>> {
        let (error, quote) = self.errors.error(index)?;
        NetworkError::read(&error, quote)
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Datagrams to send, collected in one buffer and flushed in batches.
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    queued: Vec<Queued>,
    batch: SendBatch,
}

struct Queued {
    start: usize,
    end: usize,
    destination: SocketAddr,
    socket: usize,
}

/// What became of a flush.
#[derive(Default)]
pub(crate) struct FlushReport {
    /// Datagrams that went out.
    pub(crate) sent: usize,
    /// Datagrams the kernel refused; UDP loses, so they count as lost on the way.
    pub(crate) refused: usize,
    /// Sends that were repeated because the socket told of an older datagram's ICMP error instead.
    pub(crate) repeated: usize,
    /// Refused requests, `UNSENT_LIMIT` at most.
    pub(crate) unsent: Vec<Unsent>,
}

/// A request that the kernel did not take.
pub(crate) struct Unsent {
    pub(crate) fault: SendFault,
    pub(crate) destination: SocketAddr,
    /// Its beginning: Request-URI and Via.
    pub(crate) quote: Box<[u8]>,
}

/// Refused requests that one flush tells of; with more, the others are lost without a word, as UDP may lose them.
const UNSENT_LIMIT: usize = 1_024;

/// Octets of them that are kept.
const UNSENT_QUOTE: usize = 1_024;

impl Outbox {
    /// Flush at this many datagrams: one `sendmmsg` takes at most 1024.
    pub(crate) const HIGH_WATER: usize = 256;

    pub(crate) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            queued: Vec::new(),
            batch: SendBatch::new(),
        }
    }

    /// Queue what `write` appends as one datagram from `socket` to `destination`. Nothing written, nothing queued.
    pub(crate) fn push_with(
        &mut self,
        socket: usize,
        destination: SocketAddr,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end > start {
            self.queued.push(Queued {
                start,
                end,
                destination,
                socket,
            });
        }
    }

    pub(crate) fn push(&mut self, socket: usize, destination: SocketAddr, datagram: &[u8]) {
        self.push_with(socket, destination, |bytes| {
            bytes.extend_from_slice(datagram);
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.queued.len()
    }

    /// The datagrams queued and not yet flushed, with the socket to send from and whom they are for.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&[u8], usize, SocketAddr)> {
        self.queued
            .iter()
            .map(|q| (&self.bytes[q.start..q.end], q.socket, q.destination))
    }

    /// Forget what is queued: somebody else has carried it.
    pub(crate) fn clear(&mut self) {
        self.queued.clear();
        self.bytes.clear();
    }

    /// Send everything that is queued, in order for each socket.
    pub(crate) fn flush(&mut self, sockets: &[UdpSocket]) -> FlushReport {
        let mut report = FlushReport::default();
        let mut first = 0;
        while let Some(head) = self.queued.get(first) {
            let run = self.queued[first..]
                .iter()
                .take_while(|q| q.socket == head.socket)
                .count();
            if let Some(socket) = sockets.get(head.socket) {
                self.flush_run(first, first + run, socket, &mut report);
            }
            first += run;
        }
        self.clear();
        report
    }

    /// Send the datagrams `first..end`, all of one socket.
    fn flush_run(
        &mut self,
        mut first: usize,
        end: usize,
        socket: &UdpSocket,
        report: &mut FlushReport,
    ) {
        let mut tries = 0;
        while first < end {
            let longest = if socket.trains.get() {
                TRAIN_DATAGRAMS
            } else {
                1
            };
            let (bytes, queued) = (&self.bytes, &self.queued[..end]);
            let mut next = first;
            let trains = std::iter::from_fn(|| {
                let count = train_length(&queued[next..], longest)?;
                let (head, last) = (&queued[next], &queued[next + count - 1]);
                next += count;
                Some(Train {
                    bytes: &bytes[head.start..last.end],
                    destination: head.destination,
                    segment: head.end - head.start,
                })
            });
            let (sent, error) = self.batch.send(socket.as_fd(), trains);
            for _ in 0..sent {
                let count = train_length(&self.queued[first..end], longest).unwrap_or(0);
                report.sent += count;
                first += count;
                tries = 0;
            }
            let Some(error) = error else { continue };
            if tries < repetitions(&error) {
                tries += 1;
                report.repeated += 1;
                continue;
            }
            tries = 0;
            let count = train_length(&self.queued[first..end], longest).unwrap_or(1);
            if count > 1 && takes_no_trains(&error) {
                // A device or route that takes no trains: one by one from now on.
                socket.trains.set(false);
            } else {
                // This datagram was refused, or this train: skip it alone.
                self.refuse(first, first + count, &error, report);
                first += count;
            }
        }
    }

    fn refuse(&self, first: usize, end: usize, error: &io::Error, report: &mut FlushReport) {
        report.refused += end - first;
        let fault = SendFault::of(error);
        for queued in &self.queued[first..end] {
            let bytes = &self.bytes[queued.start..queued.end];
            // Nobody waits for what becomes of a response.
            if report.unsent.len() < UNSENT_LIMIT && !bytes.starts_with(b"SIP/") {
                report.unsent.push(Unsent {
                    fault,
                    destination: queued.destination,
                    quote: bytes[..bytes.len().min(UNSENT_QUOTE)].into(),
                });
            }
        }
    }
}

/// Whether the kernel means the form of the train, not its way.
fn takes_no_trains(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EIO | libc::EMSGSIZE | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

/// Datagrams in one train at most (the kernel's own limit is 64), and octets, and octets of one: none may need fragments.
const TRAIN_DATAGRAMS: usize = 64;
const TRAIN_OCTETS: usize = 60_000;
const TRAIN_SEGMENT: usize = 1_300;

/// How many datagrams from the front of `queued` make a train: one destination, equal lengths, the last may be shorter.
fn train_length(queued: &[Queued], longest: usize) -> Option<usize> {
    let head = queued.first()?;
    let segment = head.end - head.start;
    if segment > TRAIN_SEGMENT {
        return Some(1);
    }
    let longest = longest.min(TRAIN_OCTETS / segment.max(1)).max(1);
    let mut count = 1;
    for next in queued[1..].iter().take(longest - 1) {
        let length = next.end - next.start;
        if next.destination != head.destination || length > segment {
            break;
        }
        count += 1;
        if length < segment {
            break;
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use route_core::Unreachable;

    use super::*;

    fn queue(sizes: &[(usize, u16)]) -> Vec<Queued> {
        let mut start = 0;
        let queued = sizes.iter().map(|(size, port)| {
            let destination = SocketAddr::from(([127, 0, 0, 1], *port));
            start += size;
            Queued {
                start: start - size,
                end: start,
                destination,
                socket: 0,
            }
        });
        queued.collect()
    }

    #[test]
    fn trains_are_equal_neighbours_to_one_peer() {
        let rows: [(&[(usize, u16)], usize); 8] = [
            (&[(500, 1)], 1),
            (&[(500, 1), (500, 1), (500, 1)], 3),
            (&[(500, 1), (500, 2)], 1),
            (&[(500, 1), (400, 1), (400, 1)], 2),
            (&[(500, 1), (501, 1)], 1),
            (&[(1_400, 1), (1_400, 1)], 1),
            (&[(500, 1); 100], 64),
            (&[(1_200, 1); 100], 50),
        ];
        for (sizes, expected) in rows {
            assert_eq!(
                Some(expected),
                train_length(&queue(sizes), TRAIN_DATAGRAMS),
                "{sizes:?}"
            );
        }
        assert_eq!(None, train_length(&[], TRAIN_DATAGRAMS));
        assert_eq!(Some(1), train_length(&queue(&[(500, 1), (500, 1)]), 1));
    }

    #[test]
    fn trains_arrive_as_the_datagrams_they_were() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut receiver = UdpSocket::bind(loopback).unwrap();
        let sender = [UdpSocket::bind(loopback).unwrap()];
        let mut outbox = Outbox::new();
        let sent: Vec<Vec<u8>> = (0..200_usize)
            .map(|i| vec![i as u8; if i % 7 == 0 { 90 } else { 500 }])
            .collect();
        for datagram in &sent {
            outbox.push(0, receiver.local(), datagram);
        }
        let report = outbox.flush(&sender);
        assert_eq!((200, 0), (report.sent, report.refused));
        let mut taken = Vec::new();
        for _ in 0..1_000_000 {
            let count = receiver.receive().unwrap();
            for index in 0..count {
                taken.extend(receiver.datagrams(index).map(|(bytes, from)| {
                    assert_eq!(sender[0].local(), from);
                    bytes.to_vec()
                }));
            }
            if taken.len() == sent.len() {
                break;
            }
        }
        assert_eq!(sent, taken);
    }

    /// A port of loopback that nobody has: what goes there comes back as port unreachable, at once.
    fn closed_port() -> SocketAddr {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        socket.local()
    }

    #[test]
    fn port_unreachable_is_told_with_its_quote_and_costs_no_datagram() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut receiver = UdpSocket::bind(loopback).unwrap();
        let mut sender = [UdpSocket::bind(loopback).unwrap()];
        let closed = closed_port();
        let mut outbox = Outbox::new();
        let mut expected = Vec::new();
        // Lengths differ, so that each datagram is a system call's own.
        for i in 0..100_usize {
            outbox.push(0, closed, format!("OPTIONS to nobody {i}").as_bytes());
            expected.push(vec![b'x'; 100 + i % 3]);
            outbox.push(0, receiver.local(), &expected[i]);
        }
        // In several flushes, so that some begin with an error pending.
        let report = outbox.flush(&sender);
        assert_eq!((200, 0), (report.sent, report.refused));
        for i in 0..100_usize {
            outbox.push(0, closed, b"OPTIONS to nobody");
            outbox.flush(&sender);
            expected.push(vec![b'y'; 50 + i]);
            outbox.push(0, receiver.local(), &expected[100 + i]);
            let report = outbox.flush(&sender);
            assert_eq!((1, 0, 1), (report.sent, report.refused, report.repeated));
        }
        let mut taken = Vec::new();
        while taken.len() < expected.len() {
            let count = receiver.receive().unwrap();
            for index in 0..count {
                taken.extend(receiver.datagrams(index).map(|(bytes, _)| bytes.to_vec()));
            }
        }
        assert_eq!(expected, taken, "none is lost");

        let mut errors = 0;
        loop {
            let count = sender[0].receive_errors();
            if count == 0 {
                break;
            }
            for index in 0..count {
                let error = sender[0].error(index).unwrap();
                assert_eq!(
                    (Unreachable::Port, true, closed),
                    (error.kind, error.by_target, error.destination)
                );
                assert!(error.quote.starts_with(b"OPTIONS to nobody"));
                errors += 1;
            }
        }
        assert_eq!(200, errors);
        assert_eq!(0, sender[0].receive().unwrap(), "no error is left pending");
    }

    #[test]
    fn a_pending_error_does_not_hide_a_datagram() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut sender = [UdpSocket::bind(loopback).unwrap()];
        let other = UdpSocket::bind(loopback).unwrap();
        let mut outbox = Outbox::new();
        outbox.push(0, sender[0].local(), b"hello");
        outbox.flush(&[other]);
        outbox.push(0, closed_port(), b"OPTIONS to nobody");
        outbox.flush(&sender);
        assert_eq!(1, sender[0].receive().unwrap());
    }

    #[test]
    fn what_the_kernel_refuses_is_told_and_the_rest_is_sent() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut receiver = UdpSocket::bind(loopback).unwrap();
        let sender = [UdpSocket::bind(loopback).unwrap()];
        let mut outbox = Outbox::new();
        // From loopback there is no way out: the kernel says EINVAL.
        let outside = SocketAddr::from(([192, 0, 2, 1], 5060));
        for _ in 0..3 {
            outbox.push(0, outside, b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n");
        }
        outbox.push(0, outside, b"SIP/2.0 200 OK\r\n");
        outbox.push(0, receiver.local(), b"hello");
        let report = outbox.flush(&sender);
        assert_eq!((1, 4), (report.sent, report.refused));
        let told: Vec<_> = report
            .unsent
            .iter()
            .map(|unsent| (unsent.fault, unsent.destination))
            .collect();
        assert_eq!(vec![(SendFault::NoRoute, outside); 3], told);
        assert_eq!(1, receiver.receive().unwrap());
    }
}
