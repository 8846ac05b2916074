//! UDP in batches: `recvmmsg`, `sendmmsg`, a pinned thread and its CPU time. The only module with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Messages per system call.
pub(crate) const BATCH: usize = 64;
/// Longest datagram read; SIP over UDP beyond this would be fragmented anyway.
const DATAGRAM: usize = 4096;
/// Asked for on both directions; the kernel caps it at `rmem_max` and `wmem_max`.
/// Longest train of equal packets: what one IP packet may carry.
const TRAIN: usize = 60_000;
static BUFFER: libc::c_int = 4 << 20;

/// A socket address as the kernel wrote it.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        // SAFETY: all-zero is a valid sockaddr_storage, and it is large and aligned enough for both families.
        unsafe {
            let mut storage: libc::sockaddr_storage = zeroed();
            let len = match address {
                SocketAddr::V4(v4) => {
                    let place = (&raw mut storage).cast::<libc::sockaddr_in>();
                    (*place).sin_family = libc::AF_INET as libc::sa_family_t;
                    (*place).sin_port = v4.port().to_be();
                    (*place).sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                    size_of::<libc::sockaddr_in>()
                }
                SocketAddr::V6(v6) => {
                    let place = (&raw mut storage).cast::<libc::sockaddr_in6>();
                    (*place).sin6_family = libc::AF_INET6 as libc::sa_family_t;
                    (*place).sin6_port = v6.port().to_be();
                    (*place).sin6_addr.s6_addr = v6.ip().octets();
                    size_of::<libc::sockaddr_in6>()
                }
            };
            Self { storage, len: len as libc::socklen_t }
        }
    }

    fn bytes(&self) -> &[u8] {
        let length = (self.len as usize).min(size_of::<libc::sockaddr_storage>());
        // SAFETY: the storage is initialised (zeroed, then written), and the length is within it.
        unsafe { std::slice::from_raw_parts((&raw const self.storage).cast::<u8>(), length) }
    }
}

/// Open a socket; `remote` connects it.
pub(crate) fn open(local: SocketAddr, remote: Option<SocketAddr>) -> Result<UdpSocket, String> {
    let socket = UdpSocket::bind(local).map_err(|error| format!("bind {local}: {error}"))?;
    for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        // SAFETY: the value is an int that outlives the call, and its size is given.
        unsafe {
            let value = (&raw const BUFFER).cast();
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                value,
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }
    if let Some(remote) = remote {
        socket.connect(remote).map_err(|error| format!("connect {remote}: {error}"))?;
    }
    Ok(socket)
}

/// Received datagrams of one call.
pub(crate) struct Inbox {
    buffers: Vec<[u8; DATAGRAM]>,
    peers: Vec<Peer>,
    lengths: [usize; BATCH],
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero (null pointers, zero lengths) is a valid value of these plain C structures.
        unsafe {
            Self {
                buffers: vec![[0; DATAGRAM]; BATCH],
                peers: vec![Peer { storage: zeroed(), len: 0 }; BATCH],
                lengths: [0; BATCH],
                headers: vec![zeroed(); BATCH],
                vectors: vec![zeroed(); BATCH],
            }
        }
    }

    /// Take what waits. `block`: sleep until something comes, at most the socket's read time-out.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, block: bool) -> io::Result<usize> {
        for (index, header) in self.headers.iter_mut().enumerate() {
            let vector = &mut self.vectors[index];
            vector.iov_base = self.buffers[index].as_mut_ptr().cast();
            vector.iov_len = DATAGRAM;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut self.peers[index].storage).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        }
        let flags = if block { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: every header points to a buffer and a name of this struct, with their true sizes; both outlive the call.
        let got = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), BATCH as u32, flags, std::ptr::null_mut())
        };
        if got < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut => Ok(0),
                _ => Err(error),
            };
        }
        let got = got.unsigned_abs() as usize;
        for index in 0..got {
            self.lengths[index] = (self.headers[index].msg_len as usize).min(DATAGRAM);
            self.peers[index].len = self.headers[index].msg_hdr.msg_namelen;
        }
        Ok(got)
    }

    pub(crate) fn datagram(&self, index: usize) -> (&[u8], Peer) {
        (&self.buffers[index][..self.lengths[index]], self.peers[index])
    }
}

/// Datagrams to be sent; full batches go out by themselves.
pub(crate) struct Outbox {
    buffers: Vec<Vec<u8>>,
    peers: Vec<Option<Peer>>,
    used: usize,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    controls: Vec<Control>,
    segment: bool,
}

/// The control message that asks for segmentation.
#[repr(C)]
#[derive(Clone, Copy)]
struct Control {
    header: libc::cmsghdr,
    size: u16,
    /// Control messages are padded to the size of a word.
    padding: [u8; 6],
}

impl Control {
    fn new() -> Self {
        // SAFETY: all-zero is a valid cmsghdr.
        let mut header: libc::cmsghdr = unsafe { zeroed() };
        header.cmsg_level = libc::SOL_UDP;
        header.cmsg_type = libc::UDP_SEGMENT;
        header.cmsg_len = size_of::<libc::cmsghdr>() + size_of::<u16>();
        Self { header, size: 0, padding: [0; 6] }
    }
}

impl Outbox {
    /// `segment`: send trains of equal packets in one piece.
    pub(crate) fn new(segment: bool) -> Self {
        // SAFETY: as in `Inbox::new`.
        unsafe {
            Self {
                buffers: (0..BATCH).map(|_| Vec::with_capacity(DATAGRAM)).collect(),
                peers: vec![None; BATCH],
                used: 0,
                sent: 0,
                refused: 0,
                headers: vec![zeroed(); BATCH],
                vectors: vec![zeroed(); BATCH],
                controls: vec![Control::new(); BATCH],
                segment,
            }
        }
    }

    /// An empty buffer that will be sent to `to`, or to the connected peer.
    pub(crate) fn next(&mut self, socket: &UdpSocket, to: Option<Peer>) -> &mut Vec<u8> {
        if self.used == BATCH {
            self.flush(socket);
        }
        let index = self.used;
        self.used += 1;
        self.peers[index] = to;
        self.buffers[index].clear();
        &mut self.buffers[index]
    }

    /// Take back the buffer of the last `next`.
    pub(crate) fn cancel(&mut self) {
        self.used -= 1;
    }

    /// Send all. What the kernel refuses (ICMP error of an earlier packet, no buffer) is counted and dropped, as UDP may.
    ///
    /// Neighbours of equal length to one peer go as one train (`UDP_SEGMENT`): the kernel walks its stack once and cuts the
    /// train into the same datagrams before the receiver's socket sees them.
    pub(crate) fn flush(&mut self, socket: &UdpSocket) {
        let (mut first, mut trains) = (0, 0);
        while first < self.used {
            let length = self.buffers[first].len();
            let mut end = first + 1;
            while self.segment
                && end < self.used
                && self.buffers[end].len() == length
                && (end + 1 - first) * length <= TRAIN
                && same(self.peers[end].as_ref(), self.peers[first].as_ref())
            {
                end += 1;
            }
            for index in first..end {
                self.vectors[index].iov_base = self.buffers[index].as_mut_ptr().cast();
                self.vectors[index].iov_len = length;
            }
            let header = &mut self.headers[trains].msg_hdr;
            header.msg_iov = &raw mut self.vectors[first];
            header.msg_iovlen = end - first;
            (header.msg_name, header.msg_namelen) = match &mut self.peers[first] {
                Some(peer) => ((&raw mut peer.storage).cast(), peer.len),
                None => (std::ptr::null_mut(), 0),
            };
            (header.msg_control, header.msg_controllen) = if end - first > 1 {
                let control = &mut self.controls[trains];
                control.size = length as u16;
                (std::ptr::from_mut(control).cast(), size_of::<Control>())
            } else {
                (std::ptr::null_mut(), 0)
            };
            first = end;
            trains += 1;
        }
        let mut done = 0;
        while done < trains {
            // SAFETY: headers[done..trains] were filled above and point into vectors of this struct.
            let went = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr().add(done), (trains - done) as u32, 0)
            };
            if went > 0 {
                let went = went.unsigned_abs() as usize;
                self.sent +=
                    self.headers[done..done + went].iter().map(|header| header.msg_hdr.msg_iovlen as u64).sum::<u64>();
                done += went;
            } else if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                self.refused += self.headers[done].msg_hdr.msg_iovlen as u64;
                done += 1;
            }
        }
        self.used = 0;
    }
}

/// One port at every IPv4 address of this host. What comes to one of them is answered from it (`IP_PKTINFO`, ip(7)).
pub(crate) struct Everywhere {
    socket: UdpSocket,
    buffer: Box<[u8; DATAGRAM]>,
}

/// Where a datagram came from, and to.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    from: libc::sockaddr_in,
    to: libc::in_addr,
    /// When the kernel took it, in nanoseconds of Unix time: whoever reads it late does not change that.
    pub(crate) at: u64,
}

/// Room for a control message with an `in_pktinfo` and one with a `timespec`, aligned as they have to be.
type PacketInfo = [u64; 8];

impl Everywhere {
    pub(crate) fn open(port: u16) -> Result<Self, String> {
        let socket = open(SocketAddr::from(([0, 0, 0, 0], port)), None)?;
        let on: libc::c_int = 1;
        let options = [(libc::IPPROTO_IP, libc::IP_PKTINFO), (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)];
        let failed = options.iter().any(|(level, option)| {
            // SAFETY: the option's value is an int, given with its size.
            let result = unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    *level,
                    *option,
                    (&raw const on).cast(),
                    size_of::<libc::c_int>() as libc::socklen_t,
                )
            };
            result != 0
        });
        let timeout = socket.set_read_timeout(Some(std::time::Duration::from_millis(100)));
        if failed || timeout.is_err() {
            return Err(format!("port {port}: {}", io::Error::last_os_error()));
        }
        Ok(Self { socket, buffer: Box::new([0; DATAGRAM]) })
    }

    /// Wait for a datagram, 100 ms at most.
    pub(crate) fn receive(&mut self) -> Option<(&[u8], Way)> {
        let mut control: PacketInfo = [0; 8];
        // SAFETY: all-zero is valid for these structures; the header points at buffers that live through the call. Each
        // control message is read as what the kernel says that it is.
        unsafe {
            let mut from: libc::sockaddr_in = zeroed();
            let mut vector = libc::iovec { iov_base: self.buffer.as_mut_ptr().cast(), iov_len: self.buffer.len() };
            let mut header: libc::msghdr = zeroed();
            header.msg_name = (&raw mut from).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = size_of::<PacketInfo>();
            let length = usize::try_from(libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, 0)).ok()?;
            let (mut to, mut at) = (None, 0);
            let mut message = libc::CMSG_FIRSTHDR(&raw const header);
            while !message.is_null() {
                let data = libc::CMSG_DATA(message);
                match ((*message).cmsg_level, (*message).cmsg_type) {
                    (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                        to = Some(data.cast::<libc::in_pktinfo>().read_unaligned().ipi_addr);
                    }
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                        let time = data.cast::<libc::timespec>().read_unaligned();
                        at = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
                    }
                    _ => {}
                }
                message = libc::CMSG_NXTHDR(&raw const header, message);
            }
            Some((&self.buffer[..length], Way { from, to: to?, at }))
        }
    }

    /// Answer from where the request came to. What the kernel refuses is lost, as UDP may lose it.
    pub(crate) fn answer(&self, mut way: Way, bytes: &[u8]) {
        let mut control: PacketInfo = [0; 8];
        // SAFETY: as above; the control buffer has room for the header and the in_pktinfo that are written.
        unsafe {
            let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let mut header: libc::msghdr = zeroed();
            header.msg_name = (&raw mut way.from).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) as usize;
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = libc::IPPROTO_IP;
            (*message).cmsg_type = libc::IP_PKTINFO;
            (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as usize;
            let mut info: libc::in_pktinfo = zeroed();
            info.ipi_spec_dst = way.to;
            libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(info);
            libc::sendmsg(self.socket.as_raw_fd(), &raw const header, 0);
        }
    }
}

/// Do both go to the same place?
fn same(one: Option<&Peer>, other: Option<&Peer>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.bytes() == other.bytes(),
        _ => false,
    }
}

/// Keep this thread on one core.
pub(crate) fn pin(core: usize) -> Result<(), String> {
    // SAFETY: an all-zero cpu_set_t is empty and valid; CPU_SET checks nothing but `core` is below its size here.
    let failed = core >= libc::CPU_SETSIZE as usize
        || unsafe {
            let mut set: libc::cpu_set_t = zeroed();
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) != 0
        };
    if failed { Err(format!("--core {core}: {}", io::Error::last_os_error())) } else { Ok(()) }
}

/// User and system CPU seconds of this process.
pub(crate) fn cpu_seconds() -> (f64, f64) {
    // SAFETY: getrusage fills the structure that it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime), seconds(usage.ru_stime))
}

/// `CLOCK_MONOTONIC`, the same for all processes of the machine.
pub(crate) fn monotonic_nanos() -> u64 {
    // SAFETY: clock_gettime fills the structure that it is given; this clock always exists.
    let time = unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// End at SIGINT and SIGTERM by `stopped`.
pub(crate) fn catch_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe {
            libc::signal(signal, stop as *const () as libc::sighandler_t);
        }
    }
}

pub(crate) fn stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}
