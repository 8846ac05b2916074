//! Datagram sockets that share one address among the workers (`SO_REUSEPORT`), read and written in batches.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::sys::{ReceiveBatch, SendBatch};

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
        let local = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self {
            socket,
            local,
            receive: ReceiveBatch::new(RECEIVE_BATCH, DATAGRAM_SIZE),
        })
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Take what waits, at most `RECEIVE_BATCH` datagrams; read them with `datagram`.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        self.receive.receive(self.socket.as_fd())
    }

    pub(crate) fn datagram(&self, index: usize) -> Option<(&[u8], SocketAddr)> {
        self.receive.datagram(index)
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
            bytes.extend_from_slice(datagram)
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.queued.len()
    }

    /// The datagrams queued and not yet flushed, for tests of what a message leads to.
    #[cfg(test)]
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        self.queued
            .iter()
            .map(|q| (&self.bytes[q.start..q.end], q.destination))
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
            let end = first + run;
            if let Some(socket) = sockets.get(head.socket) {
                while first < end {
                    let datagrams = self.queued[first..end]
                        .iter()
                        .map(|q| (&self.bytes[q.start..q.end], q.destination));
                    let (sent, error) = self.batch.send(socket.as_fd(), datagrams);
                    report.sent += sent;
                    first += sent;
                    if error.is_some() {
                        // The datagram at `first` was refused (no route, buffer full): skip it alone.
                        report.refused += 1;
                        first += 1;
                    }
                }
            }
            first = end;
        }
        self.queued.clear();
        self.bytes.clear();
        report
    }
}
