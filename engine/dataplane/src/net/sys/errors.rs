//! The error queue of a datagram socket (`IP_RECVERR`, `IPV6_RECVERR`, ip(7)): what ICMP says about datagrams that were sent.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{message_header, socket_address};

/// Errors taken per system call.
pub(in crate::net) const ERROR_BATCH: usize = 32;

/// Octets kept of a quoted datagram: our Request-URI and Via stand at its start, and no router quotes more over IPv4.
const QUOTE: usize = 1_024;

/// Room for the control message: its header, the error, and an IPv6 address.
type Control = [u64; 16];

const CONTROL_LENGTH: usize = size_of::<Control>();

/// One entry of the queue, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct RawError {
    /// `SO_EE_ORIGIN_…`.
    pub(in crate::net) origin: u8,
    /// ICMP type and code.
    pub(in crate::net) kind: u8,
    pub(in crate::net) code: u8,
    /// Who sent the ICMP message.
    pub(in crate::net) offender: Option<IpAddr>,
    /// Where the datagram went.
    pub(in crate::net) destination: SocketAddr,
}

/// Have ICMP errors queued on `socket`, of the family that is told.
pub(in crate::net) fn queue_errors(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    let (level, option) = if ipv6 {
        (libc::SOL_IPV6, libc::IPV6_RECVERR)
    } else {
        (libc::SOL_IP, libc::IP_RECVERR)
    };
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, given with its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Buffers for one `recvmmsg` from the error queue.
pub(in crate::net) struct ErrorBatch {
    storage: Box<[u8]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    lengths: Vec<usize>,
}

impl ErrorBatch {
    pub(in crate::net) fn new() -> Self {
        Self {
            storage: vec![0; ERROR_BATCH * QUOTE].into_boxed_slice(),
            // SAFETY: all-zero is a valid value of this C structure.
            names: vec![unsafe { mem::zeroed() }; ERROR_BATCH].into_boxed_slice(),
            controls: vec![[0; 16]; ERROR_BATCH].into_boxed_slice(),
            lengths: Vec::with_capacity(ERROR_BATCH),
        }
    }

    /// Take what waits in the queue; returns how many there are to be read with `error`.
    pub(in crate::net) fn receive(&mut self, socket: BorrowedFd<'_>) -> usize {
        let mut vectors: Vec<libc::iovec> = self
            .storage
            .chunks_exact_mut(QUOTE)
            .map(|chunk| libc::iovec {
                iov_base: chunk.as_mut_ptr().cast(),
                iov_len: QUOTE,
            })
            .collect();
        self.controls.fill([0; 16]);
        let mut headers: Vec<libc::mmsghdr> = self
            .names
            .iter_mut()
            .zip(&mut vectors)
            .zip(&mut self.controls)
            .map(|((name, vector), control)| message_header(name, vector, control))
            .collect();
        // SAFETY: every header points at live buffers, sized as stated.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(received).unwrap_or(0);
        self.lengths.clear();
        self.lengths.extend(
            headers[..count]
                .iter()
                .map(|header| (header.msg_len as usize).min(QUOTE)),
        );
        count
    }

    /// Entry `index` of the last `receive`, and what it quotes of our datagram behind the UDP header. `None` for what is no
    /// error message of IP.
    pub(in crate::net) fn error(&self, index: usize) -> Option<(RawError, &[u8])> {
        let destination = socket_address(&self.names[index])?;
        let error = read(&octets(&self.controls[index]), destination)?;
        let start = index * QUOTE;
        Some((error, &self.storage[start..start + self.lengths[index]]))
    }
}

fn octets(control: &Control) -> [u8; CONTROL_LENGTH] {
    let mut octets = [0; CONTROL_LENGTH];
    for (place, word) in octets.chunks_exact_mut(8).zip(control) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    octets
}

/// Where the parts of the control message lie: `cmsghdr`, `sock_extended_err`, the offender as a `sockaddr`.
const LEVEL: usize = size_of::<usize>();
const TYPE: usize = LEVEL + 4;
const ERROR: usize = size_of::<libc::cmsghdr>();
const OFFENDER: usize = ERROR + size_of::<libc::sock_extended_err>();

fn read(control: &[u8; CONTROL_LENGTH], destination: SocketAddr) -> Option<RawError> {
    let number = |at: usize| {
        let octets = control.get(at..at + 4)?.try_into().ok()?;
        Some(libc::c_int::from_ne_bytes(octets))
    };
    let known = [
        (libc::SOL_IP, libc::IP_RECVERR),
        (libc::SOL_IPV6, libc::IPV6_RECVERR),
    ];
    if !known.contains(&(number(LEVEL)?, number(TYPE)?)) {
        return None;
    }
    let family = u16::from_ne_bytes([control[OFFENDER], control[OFFENDER + 1]]);
    let offender = match libc::c_int::from(family) {
        libc::AF_INET => {
            let ip: [u8; 4] = control[OFFENDER + 4..OFFENDER + 8].try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(ip)))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = control[OFFENDER + 8..OFFENDER + 24].try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(ip)))
        }
        _ => None,
    };
    Some(RawError {
        origin: control[ERROR + 4],
        kind: control[ERROR + 5],
        code: control[ERROR + 6],
        offender,
        destination,
    })
}
