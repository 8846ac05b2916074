//! System calls without a safe wrapper: `recvmmsg`, `sendmmsg`, `epoll`, `eventfd`, the clock that counts suspends.
//!
//! Each function checks the kernel's answer and hands out plain values; no raw pointer leaves this module.

mod errors;

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub(super) use errors::{ErrorBatch, RawError, queue_errors};

use super::errors::repetitions;
use super::poll::Ready;

/// Buffers for one `recvmmsg`: `N` datagrams of at most `size` octets.
pub(super) struct ReceiveBatch {
    storage: Box<[u8]>,
    size: usize,
    stride: usize,
    names: Box<[libc::sockaddr_storage]>,
    vectors: Box<[libc::iovec]>,
    controls: Box<[Control]>,
    headers: Box<[libc::mmsghdr]>,
}

/// Room for one control message that carries a number.
type Control = [u64; 3];

const CONTROL_LENGTH: usize = size_of::<Control>();

// SAFETY: the raw pointers inside point only into the boxes of the same value, which move with it.
unsafe impl Send for ReceiveBatch {}

impl ReceiveBatch {
    pub(super) fn new(count: usize, size: usize) -> Self {
        let stride = size.next_multiple_of(4096) + STAGGER;
        let mut storage = vec![0_u8; count * stride].into_boxed_slice();
        // SAFETY: all-zero is a valid value of these C structures.
        let mut names: Box<[libc::sockaddr_storage]> =
            vec![unsafe { mem::zeroed() }; count].into_boxed_slice();
        let mut vectors: Box<[libc::iovec]> = storage
            .chunks_exact_mut(stride)
            .map(|chunk| libc::iovec {
                iov_base: chunk.as_mut_ptr().cast(),
                iov_len: size,
            })
            .collect();
        let mut controls: Box<[Control]> = vec![[0; 3]; count].into_boxed_slice();
        let headers = names
            .iter_mut()
            .zip(vectors.iter_mut())
            .zip(controls.iter_mut())
            .map(|((name, vector), control)| message_header(name, vector, control))
            .collect();
        Self {
            storage,
            size,
            stride,
            names,
            vectors,
            controls,
            headers,
        }
    }

    /// Receive what waits, without blocking; 0 when nothing does.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        for header in &mut self.headers {
            header.msg_hdr.msg_namelen = NAME_LENGTH;
            header.msg_hdr.msg_controllen = CONTROL_LENGTH;
        }
        debug_assert_eq!(self.vectors.len(), self.headers.len());
        let mut tries = 0;
        loop {
            // SAFETY: every header points at live buffers of this value, sized as stated in `new`.
            let received = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    self.headers.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            if let Ok(count) = usize::try_from(received) {
                return Ok(count);
            }
            match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                // It tells of an ICMP error and has taken nothing.
                e if tries < repetitions(&e) => tries += 1,
                e => return Err(e),
            }
        }
    }

    /// Buffer `index` of the last `receive`: its octets, where they came from, and the length of the datagrams in it, of which
    /// the last may be shorter. `None` for an address family that is not IP.
    pub(super) fn buffer(&self, index: usize) -> Option<(&[u8], SocketAddr, usize)> {
        let header = &self.headers[index];
        let length = (header.msg_len as usize).min(self.size);
        let start = index * self.stride;
        let source = socket_address(&self.names[index])?;
        let train = (header.msg_hdr.msg_controllen > 0).then(|| &self.controls[index]);
        let segment = train.and_then(train_segment).unwrap_or(length).max(1);
        Some((&self.storage[start..start + length], source, segment))
    }
}

/// The header of one message of `recvmmsg`: it points at what is given, which the caller keeps alive as long as the header.
fn message_header<const WORDS: usize>(
    name: &mut libc::sockaddr_storage,
    vector: &mut libc::iovec,
    control: &mut [u64; WORDS],
) -> libc::mmsghdr {
    // SAFETY: all-zero is a valid mmsghdr; every pointer is set just below.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
    header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
    header.msg_hdr.msg_namelen = NAME_LENGTH;
    header.msg_hdr.msg_iov = std::ptr::from_mut(vector);
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_control = control.as_mut_ptr().cast();
    header.msg_hdr.msg_controllen = size_of_val(control);
    header
}

/// The length of the datagrams of a train, from the control message `UDP_GRO`: header of 16 octets, then a number.
fn train_segment(control: &Control) -> Option<usize> {
    let kind = libc::c_int::from_ne_bytes(control[1].to_ne_bytes()[4..].try_into().ok()?);
    let number = libc::c_int::from_ne_bytes(control[2].to_ne_bytes()[..4].try_into().ok()?);
    (kind == libc::UDP_GRO).then_some(usize::try_from(number).ok()?)
}

/// Let the kernel hand over trains of datagrams of one flow in one piece; false if it cannot.
pub(super) fn accept_trains(socket: BorrowedFd<'_>) -> bool {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, given with its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    result == 0
}

/// Added to the distance of two buffers, so that the first octets of all datagrams of a batch do not fall into the same
/// sets of the CPU's caches: buffers at a power of two would evict each other.
const STAGGER: usize = 17 * 64;

const NAME_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

fn socket_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote a sockaddr_in for this family, and the storage is large and aligned enough.
            let v4 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(
                ip,
                u16::from_be(v4.sin_port),
            )))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddr::V6(SocketAddrV6::new(
                ip,
                port,
                0,
                v6.sin6_scope_id,
            )))
        }
        _ => None,
    }
}

/// Reusable arrays for one `sendmmsg`.
pub(super) struct SendBatch {
    names: Vec<(libc::sockaddr_storage, libc::socklen_t)>,
    vectors: Vec<libc::iovec>,
    controls: Vec<Option<Control>>,
    headers: Vec<libc::mmsghdr>,
}

/// Datagrams of equal length to one destination that lie in a row; the last may be shorter.
#[derive(Clone, Copy)]
pub(super) struct Train<'d> {
    pub(super) bytes: &'d [u8],
    pub(super) destination: SocketAddr,
    /// Length of each datagram; that of `bytes` when it is one.
    pub(super) segment: usize,
}

/// The control message `UDP_SEGMENT`.
fn segment_control(segment: usize) -> Control {
    // cmsghdr: length (header and value), level, type; then the value.
    let length = (size_of::<libc::cmsghdr>() + size_of::<u16>()) as u64;
    let mut level_and_type = [0; 8];
    level_and_type[..4].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    level_and_type[4..].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    let mut value = [0; 8];
    value[..2].copy_from_slice(&(segment as u16).to_ne_bytes());
    [
        length,
        u64::from_ne_bytes(level_and_type),
        u64::from_ne_bytes(value),
    ]
}

// SAFETY: the raw pointers are rebuilt by each `send` and not used after it.
unsafe impl Send for SendBatch {}

impl SendBatch {
    pub(super) const fn new() -> Self {
        Self {
            names: Vec::new(),
            vectors: Vec::new(),
            controls: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Send `trains`; returns how many the kernel took before it said no, and why it stopped.
    pub(super) fn send<'d>(
        &mut self,
        socket: BorrowedFd<'_>,
        trains: impl Iterator<Item = Train<'d>>,
    ) -> (usize, Option<io::Error>) {
        self.names.clear();
        self.vectors.clear();
        self.controls.clear();
        self.headers.clear();
        for train in trains {
            self.names.push(kernel_address(train.destination));
            self.vectors.push(libc::iovec {
                iov_base: train.bytes.as_ptr().cast_mut().cast(),
                iov_len: train.bytes.len(),
            });
            let several = train.segment < train.bytes.len();
            self.controls
                .push(several.then(|| segment_control(train.segment)));
        }
        let parts = self
            .names
            .iter_mut()
            .zip(&mut self.vectors)
            .zip(&mut self.controls);
        for ((name, vector), control) in parts {
            // SAFETY: all-zero is a valid msghdr; the pointers below stay valid until the call returns,
            // for neither vector grows any more.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = std::ptr::from_mut(&mut name.0).cast();
            header.msg_hdr.msg_namelen = name.1;
            header.msg_hdr.msg_iov = std::ptr::from_mut(vector);
            header.msg_hdr.msg_iovlen = 1;
            if let Some(control) = control {
                header.msg_hdr.msg_control = control.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = CONTROL_LENGTH;
            }
            self.headers.push(header);
        }
        let mut sent = 0;
        while sent < self.headers.len() {
            let rest = &mut self.headers[sent..];
            // SAFETY: headers, names, vectors, controls and the datagrams themselves outlive the call.
            let count = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(count) {
                Ok(count) => sent += count,
                Err(_) => return (sent, Some(io::Error::last_os_error())),
            }
        }
        (sent, None)
    }
}

fn kernel_address(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    let address = socket2::SockAddr::from(address);
    // SAFETY: all-zero is a valid sockaddr_storage, and `len` octets of a SockAddr are initialised and fit it.
    unsafe {
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        std::ptr::copy_nonoverlapping(
            address.as_ptr().cast::<u8>(),
            storage.as_mut_ptr().cast::<u8>(),
            address.len() as usize,
        );
        (storage.assume_init(), address.len())
    }
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A non-blocking eventfd.
pub(super) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

pub(super) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// Watch `target` for input, level-triggered, and report it as `token`.
pub(super) fn epoll_add(
    epoll: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    token: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: token,
    };
    // SAFETY: `event` lives through the call.
    let result = unsafe {
        libc::epoll_ctl(
            epoll.as_raw_fd(),
            libc::EPOLL_CTL_ADD,
            target.as_raw_fd(),
            &raw mut event,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Wait up to `timeout_ms` (−1: for ever) and append what is readable or has an error.
pub(super) fn epoll_wait(
    epoll: BorrowedFd<'_>,
    timeout_ms: i32,
    ready: &mut Vec<Ready>,
) -> io::Result<()> {
    const EVENTS: libc::c_int = 32;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS as usize];
    // SAFETY: the array lives through the call and its true length is given.
    let count =
        unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), EVENTS, timeout_ms) };
    match usize::try_from(count) {
        Ok(count) => {
            ready.extend(events[..count].iter().map(|event| Ready {
                token: event.u64,
                error: event.events & libc::EPOLLERR as u32 != 0,
            }));
            Ok(())
        }
        Err(_) => match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            e => Err(e),
        },
    }
}

/// Time since the machine was started, with the time that it was suspended (`CLOCK_BOOTTIME`).
pub(crate) fn boot_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure lives through the call. The clock exists since Linux 2.6.39, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
