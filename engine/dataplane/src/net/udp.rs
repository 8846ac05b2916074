//! Datagram sockets that share one address among the workers (`SO_REUSEPORT`), read and written in batches.
//!
//! A core network's few peers send and take most of the packets, and most of one kind have one length. So neighbours of equal
//! length and peer cross the kernel as one train (`UDP_GRO`, `UDP_SEGMENT`) and its stack is walked once for all of them.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::sys::{ReceiveBatch, SendBatch, Train, accept_trains};

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
        let local = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self {
            socket,
            local,
            receive: ReceiveBatch::new(RECEIVE_BATCH, DATAGRAM_SIZE),
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

/// What a flush could not send.
#[derive(Default)]
pub(crate) struct FlushReport {
    /// Datagrams that went out.
    pub(crate) sent: usize,
    /// Datagrams the kernel refused; UDP loses, so they count as lost on the way.
    pub(crate) refused: usize,
}

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
            }
            if error.is_some() {
                let refused = train_length(&self.queued[first..end], longest).unwrap_or(1);
                if refused > 1 {
                    // A device or route that takes no trains: one by one from now on.
                    socket.trains.set(false);
                } else {
                    // This datagram was refused (no route, buffer full): skip it alone.
                    report.refused += 1;
                    first += 1;
                }
            }
        }
    }
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
}
