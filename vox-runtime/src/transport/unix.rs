//! The file of a Unix socket: who may bind it, and who removes it.
//!
//! Two rules hold among servers of this crate. Of several that start on one path, each looks, removes what is stale and binds
//! while it holds the lock file beside the socket, so exactly one listens. A server that ends removes the file only if it is
//! the one that it bound, by device and inode. Its listener is open until then, so no other file can have these numbers.
//!
//! The kernel lets go of the lock when its process dies, so a crash at any point leaves at most a stale socket and an
//! unlocked lock file, and the next server removes both.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::net::{UnixListener, UnixStream};

/// How long a server waits for another that is starting or ending on the same path. That takes well under a millisecond.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits between two looks at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// A Unix socket that listens, and its file. The file goes when this is dropped, before the listener is closed.
pub(crate) struct UnixSocket {
    file: SocketFile,
    listener: UnixListener,
}

/// The file that a listener bound.
struct SocketFile {
    /// Absolute, so that it is the same after the process has changed its working directory.
    path: PathBuf,
    identity: Identity,
}

/// A file, whatever it is called: its device and its inode.
type Identity = (u64, u64);

impl UnixSocket {
    /// Listens at `path`. A socket file on which nobody listens is replaced; anything else there is left alone.
    pub(crate) async fn bind(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let _lock = Lock::wait(&path).await?;
        remove_stale(&path).await?;
        let listener = UnixListener::bind(&path)?;
        let identity = identity(&path)?;
        Ok(Self { file: SocketFile { path, identity }, listener })
    }

    /// The next stream.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.listener.poll_accept(cx).map_ok(|(stream, _)| stream)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server starts on this path at this moment. It finds a stale file at worst, and replaces it.
        let Ok(Some(_lock)) = Lock::take(&self.path) else { return };
        let _ = self.remove();
    }
}

impl SocketFile {
    /// Removes the file if it is still the one that was bound.
    ///
    /// A program that knows nothing of the lock may rename its own socket to this path at any moment. So the file is first
    /// moved to a name of its own and looked at there: what is another's goes back.
    fn remove(&self) -> io::Result<()> {
        if identity(&self.path)? != self.identity {
            return Ok(());
        }
        let aside = beside(&self.path, &format!(".{}.{}.ended", std::process::id(), self.identity.1));
        fs::rename(&self.path, &aside)?;
        if identity(&aside)? != self.identity {
            fs::hard_link(&aside, &self.path)?;
        }
        fs::remove_file(&aside)
    }
}

/// Removes a socket file that nobody listens on any more: one left behind by a process that was killed. What is no socket is left alone.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        let what = if file.is_dir() { "folder" } else { "file" };
        let why =
            format!("a {what} is there that is no socket; a server replaces only a socket on which nobody listens");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    if let Err(error) = UnixStream::connect(path).await
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The right to bind or remove the socket at a path. The lock file exists only while somebody holds it.
struct Lock {
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

impl Lock {
    /// Takes the lock, as soon as nobody has it.
    async fn wait(socket: &Path) -> io::Result<Self> {
        let started = Instant::now();
        loop {
            if let Some(lock) = Self::take(socket)? {
                return Ok(lock);
            }
            if started.elapsed() > LOCK_PATIENCE {
                let lock = beside(socket, ".lock");
                let why = format!("Address already in use: another process holds {}", lock.display());
                return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    }

    /// Takes the lock if nobody has it.
    fn take(socket: &Path) -> io::Result<Option<Self>> {
        let path = beside(socket, ".lock");
        let Some(file) = open(&path)? else { return Ok(None) };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let held = file.metadata()?;
        // Its holder may have removed the file meanwhile. Then the lock of that file is worth nothing.
        let current = identity(&path).is_ok_and(|current| current == (held.dev(), held.ino()));
        Ok(current.then_some(Self { path, _file: file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked: a server that has opened it already finds that it is gone.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the lock file, or makes it. `None`: it came or went in between.
fn open(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => return Ok(Some(file)),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            let why = format!("{} is in the way: it is not a lock file", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A path in the same folder, with something behind the name.
fn beside(socket: &Path, suffix: &str) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

fn identity(path: &Path) -> io::Result<Identity> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}
