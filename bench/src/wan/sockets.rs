//! What the standard library's sockets cannot be told.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The longest segment where there is a rate. On the loopback it would be 64 KiB.
pub(super) const SEGMENT: usize = 1448;
/// What sockets keep then. The system would let those of the loopback grow to some MiB.
const BUFFER: libc::c_int = 64 << 10;

/// Listens there.
pub(super) fn listen(at: SocketAddr, small: bool) -> io::Result<TcpListener> {
    let socket = socket()?;
    set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    squeeze(&socket, small)?;
    let (address, length) = raw(at)?;
    // SAFETY: the address lives, and is as long as is said.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    // SAFETY: there is no pointer.
    check(unsafe { libc::listen(socket.as_raw_fd(), 1024) })?;
    Ok(TcpListener::from(socket))
}

/// Connects to there.
pub(super) fn connect(to: SocketAddr, small: bool) -> io::Result<TcpStream> {
    let socket = socket()?;
    squeeze(&socket, small)?;
    let (address, length) = raw(to)?;
    // SAFETY: the address lives, and is as long as is said.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(TcpStream::from(socket))
}

/// Ends the wait of a client that connects there. No further connection is taken.
pub(super) fn stop_listening(listener: RawFd) {
    // SAFETY: there is no pointer.
    unsafe { libc::shutdown(listener, libc::SHUT_RDWR) };
}

/// From now on this thread sleeps for hardly longer than it says. Otherwise it is up to 50 µs, half the shortest delay.
pub(super) fn sleep_precisely() {
    // SAFETY: there is no pointer.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// Sees to it that the TCP sockets of this process, and those that the ones that listen will take, keep little of what they send.
pub(crate) fn send_little() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(fd) = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) else { continue };
        if option(fd, libc::SO_TYPE) == Some(libc::SOCK_STREAM) && option(fd, libc::SO_DOMAIN) == Some(libc::AF_INET) {
            // SAFETY: it was open a moment ago, and this process closes no socket while it connects or begins to serve.
            let socket = unsafe { BorrowedFd::borrow_raw(fd) };
            set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, BUFFER)?;
        }
    }
    Ok(())
}

/// What an option of a socket is; `None`: it is no socket.
fn option(fd: RawFd, name: libc::c_int) -> Option<libc::c_int> {
    let (mut value, mut length): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: value and length live, and the length is the value's.
    let done = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) };
    (done == 0).then_some(value)
}

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: there is no pointer.
    let socket = check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn squeeze(socket: &OwnedFd, small: bool) -> io::Result<()> {
    if !small {
        return Ok(());
    }
    set(socket, libc::IPPROTO_TCP, libc::TCP_MAXSEG, SEGMENT as libc::c_int)?;
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, BUFFER)?;
    set(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, BUFFER)
}

fn set(socket: &impl AsFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value lives, and is as long as is said.
    let done = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), length) };
    check(done).map(|_| ())
}

fn raw(address: SocketAddr) -> io::Result<(libc::sockaddr_in, libc::socklen_t)> {
    let SocketAddr::V4(address) = address else { return Err(io::ErrorKind::Unsupported.into()) };
    let raw = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    };
    Ok((raw, size_of::<libc::sockaddr_in>() as libc::socklen_t))
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_a_process_keep_little_of_what_they_send_and_so_do_those_they_take() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), false).unwrap();
        send_little().unwrap();
        let far = connect(listener.local_addr().unwrap(), false).unwrap();
        let (near, _) = listener.accept().unwrap();
        // The system counts what it needs itself, and doubles what it is told.
        assert_eq!(option(near.as_raw_fd(), libc::SO_SNDBUF), Some(2 * BUFFER));
        assert_ne!(option(far.as_raw_fd(), libc::SO_SNDBUF), Some(2 * BUFFER));
        send_little().unwrap();
        assert_eq!(option(far.as_raw_fd(), libc::SO_SNDBUF), Some(2 * BUFFER));
    }
}
