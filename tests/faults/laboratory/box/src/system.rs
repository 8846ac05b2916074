//! The system calls: raw packet sockets that never block, waiting with nanoseconds, pipes that never block.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io::{self, Error};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const RECEIVE_BUFFER: libc::c_int = 16 << 20;

/// Standard input and output.
pub(crate) const INPUT: RawFd = libc::STDIN_FILENO;
/// Likewise.
pub(crate) const OUTPUT: RawFd = libc::STDOUT_FILENO;

/// A network port in this namespace.
#[derive(Debug)]
pub(crate) struct Port(OwnedFd);

impl Port {
    /// Open the port: every frame that comes in, none that we send.
    pub(crate) fn open(name: &str) -> io::Result<Self> {
        let text = CString::new(name).map_err(|_| Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: `text` ends with a zero byte and lives through the call.
        let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
        if index == 0 {
            return Err(Error::last_os_error());
        }
        let all = (libc::ETH_P_ALL as u16).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers; protocol 0 lets nothing in before the socket is bound to its port.
        let raw = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if raw < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        let port = Self(unsafe { OwnedFd::from_raw_fd(raw) });
        port.option(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        port.option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)?;
        port.option(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, RECEIVE_BUFFER)?;
        // SAFETY: all zero is a valid address of this kind.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as libc::sa_family_t;
        address.sll_protocol = all;
        address.sll_ifindex = index.cast_signed();
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address is of the type and length that we say.
        if unsafe { libc::bind(raw, (&raw const address).cast(), length) } < 0 {
            return Err(Error::last_os_error());
        }
        Ok(port)
    }

    fn option(&self, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `value` is an int and lives through the call.
        let done =
            unsafe { libc::setsockopt(self.fd(), level, name, (&raw const value).cast(), length) };
        if done < 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Take a frame, if there is one. Errors of the port (it went down) count as none.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        // SAFETY: the buffer is writable for its length.
        let length = unsafe { libc::recv(self.fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        usize::try_from(length).ok().map(|length| &buffer[..length])
    }

    /// Send a frame; false when the port takes it not, which loses it.
    pub(crate) fn send(&self, frame: &[u8]) -> bool {
        // SAFETY: the frame is readable for its length.
        unsafe { libc::send(self.fd(), frame.as_ptr().cast(), frame.len(), 0) >= 0 }
    }

    /// How many frames the kernel dropped since the last call, because we did not take them in time.
    pub(crate) fn missed(&self) -> u64 {
        let mut counts = [0_u32; 2];
        let mut length = size_of_val(&counts) as libc::socklen_t;
        let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
        // SAFETY: the array is writable for the length that we say: packets and drops, as `tpacket_stats` has them.
        unsafe {
            libc::getsockopt(
                self.fd(),
                level,
                name,
                counts.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        u64::from(counts[1])
    }

    /// The descriptor, to wait for.
    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Ask for prompt timers and to run before ordinary processes; without the right to it things work, less exactly.
pub(crate) fn be_prompt() {
    let real_time = libc::sched_param { sched_priority: 1 };
    // SAFETY: `real_time` is readable; no other pointers.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1);
        libc::sched_setscheduler(0, libc::SCHED_RR, &raw const real_time);
    }
}

/// Read what is there; 0 at the end.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is writable for its length.
    let length = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(length).map_err(|_| Error::last_os_error())
}

/// Write what there is room for.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the bytes are readable for their length.
    let length = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(length).map_err(|_| Error::last_os_error())
}

/// Let reads and writes of a descriptor return instead of waiting.
pub(crate) fn unblock(fd: RawFd) {
    // SAFETY: no pointers.
    unsafe {
        libc::fcntl(
            fd,
            libc::F_SETFL,
            libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK,
        )
    };
}

/// Wait until something can be read from one of `readable`, or written to `writable`, or `until` is reached.
pub(crate) fn wait(readable: &[RawFd], writable: Option<RawFd>, until: Option<u64>) {
    let reads = readable.iter().map(|fd| libc::pollfd {
        fd: *fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let writes = writable.iter().map(|fd| libc::pollfd {
        fd: *fd,
        events: libc::POLLOUT,
        revents: 0,
    });
    let mut all: Vec<libc::pollfd> = reads.chain(writes).collect();
    let limit = until.map(|due| {
        let left = due.saturating_sub(now());
        libc::timespec {
            tv_sec: (left / 1_000_000_000).cast_signed(),
            tv_nsec: (left % 1_000_000_000).cast_signed(),
        }
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `all` has the length that we say; `limit` is null or points to a live timespec; no signal mask.
    unsafe {
        libc::ppoll(
            all.as_mut_ptr(),
            all.len() as libc::nfds_t,
            limit,
            std::ptr::null(),
        )
    };
}
