//! Large bodies: on disk and in pieces, so that the sandbox holds no large request in memory.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tempfile::SpooledData;

/// A body up to this length is held in memory.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// The largest body that the sandbox accepts: more than the largest source bundle.
const BYTES_MAX: u64 = 600 * 1024 * 1024;

/// How much of a file is read at a time.
const PIECE_BYTES: u64 = 64 * 1024;

/// The longest line before a chunk: a length and a signature.
const LINE_BYTES_MAX: u64 = 1024;

/// Reads the body of a request: it is held where it is short, and [`Spooled`] below `folder`
/// where it is large.
///
/// # Errors
/// The client hung up, the file cannot be written, or the body is longer than [`BYTES_MAX`].
pub(crate) async fn receive(
    request: Request<Incoming>,
    folder: &Path,
) -> io::Result<Request<Bytes>> {
    let (parts, mut body) = request.into_parts();
    let mut request = Request::from_parts(parts, Bytes::new());
    let mut length = body.size_hint().lower();
    let mut file = tempfile::spooled_tempfile_in(HELD_BYTES_MAX, folder);
    let mut received = 0;
    while length <= BYTES_MAX
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            received += data.len() as u64;
            length = length.max(received);
            file.write_all(&data)?;
        }
    }
    if length > BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match file.into_inner() {
        SpooledData::InMemory(held) => *request.body_mut() = held.into_inner().into(),
        SpooledData::OnDisk(file) => {
            let file = Arc::new(file);
            request.extensions_mut().insert(Spooled { file, length });
        }
    }
    Ok(request)
}

/// The body of a request that is too large to be held. It travels beside the request, as an
/// extension, in a file that has no name and is gone with the last who has it open.
#[derive(Clone)]
pub(crate) struct Spooled {
    file: Arc<File>,
    length: u64,
}

impl Spooled {
    /// The body that a request carries beside it.
    pub fn of<B>(request: &Request<B>) -> Option<&Spooled> {
        request.extensions().get()
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The first `length` bytes of a file.
    pub fn of_file(file: File, length: u64) -> Spooled {
        let file = Arc::new(file);
        Spooled { file, length }
    }

    /// The content of a body that is `aws-chunked`, in a file of its own, and its trailers.
    ///
    /// # Errors
    /// The body is malformed, or a file cannot be read or written.
    pub fn unpacked(&self, folder: &Path) -> io::Result<(Spooled, Trailers)> {
        let mut packed = self.file.try_clone()?;
        packed.rewind()?;
        let mut content = tempfile::tempfile_in(folder)?;
        let (length, trailers) = unpack(BufReader::new(packed), &mut content)?;
        Ok((Spooled::of_file(content, length), trailers))
    }

    /// The body, from its beginning.
    pub fn pieces(&self) -> Pieces {
        self.pieces_from(0)
    }

    /// The body from a byte on, at most its length.
    pub fn pieces_from(&self, at: u64) -> Pieces {
        Pieces {
            spooled: self.clone(),
            at: at.min(self.length),
        }
    }

    /// Reads the body from a byte on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn reader(&self, at: u64) -> io::Result<impl Read> {
        let mut file = self.file.try_clone()?;
        file.seek(io::SeekFrom::Start(at))?;
        Ok(file.take(self.length.saturating_sub(at)))
    }
}

/// A body that is read from its file a piece at a time.
pub(crate) struct Pieces {
    spooled: Spooled,
    at: u64,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let length = PIECE_BYTES.min(self.spooled.length - self.at);
        if length == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let read = self.spooled.file.read_exact_at(&mut piece, self.at);
        self.at += length;
        Poll::Ready(Some(read.map(|()| Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.spooled.length - self.at)
    }
}

/// The headers that follow a body, by their names.
pub(crate) type Trailers = Vec<(String, String)>;

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// A line of a body without its end; empty where the body has ended.
fn line(body: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    let mut first = body.take(LINE_BYTES_MAX);
    first.read_until(b'\n', &mut line)?;
    let line = match line.strip_suffix(b"\r\n") {
        Some(line) => line,
        None if line.is_empty() => &[],
        None => return Err(malformed()),
    };
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    Ok(line.to_owned())
}

/// The trailers of a body, up to an empty line.
fn trailers(body: &mut impl BufRead) -> io::Result<Trailers> {
    let mut trailers = Vec::new();
    loop {
        let line = line(body)?;
        if line.is_empty() {
            return Ok(trailers);
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        trailers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
}

/// Writes the content of an `aws-chunked` body: lines of a length in hexadecimal, each
/// followed by that many bytes, until a length of zero. Returns the content's length, and the
/// trailers.
///
/// # Errors
/// The body is malformed, or it cannot be read or its content written.
fn unpack(mut body: impl BufRead, mut content: impl Write) -> io::Result<(u64, Trailers)> {
    let mut written = 0;
    loop {
        let line = line(&mut body)?;
        let length = line.split(';').next().unwrap_or_default();
        let length = u64::from_str_radix(length, 16).map_err(|_| malformed())?;
        if length == 0 {
            return Ok((written, trailers(&mut body)?));
        }
        if io::copy(&mut body.by_ref().take(length), &mut content)? != length {
            return Err(malformed());
        }
        written += length;
        let mut end = [0; 2];
        body.read_exact(&mut end)?;
        if end != *b"\r\n" {
            return Err(malformed());
        }
    }
}

/// The content of an `aws-chunked` body that is held, and its trailers; `None` where it is
/// malformed.
pub(crate) fn unpacked(body: &[u8]) -> Option<(Bytes, Trailers)> {
    let mut content = Vec::with_capacity(body.len());
    let (_, trailers) = unpack(body, &mut content).ok()?;
    Some((content.into(), trailers))
}

/// The body of an answer that is too large to be held: it travels beside the answer, as an
/// extension, and whoever sends the answer takes it.
#[derive(Clone)]
pub(crate) struct Streamed(Arc<Mutex<Option<s3s::Body>>>);

impl Streamed {
    /// An answer whose body is held, or travels beside it where it is large.
    ///
    /// # Errors
    /// The body cannot be read.
    pub async fn or_held(answer: Response<s3s::Body>) -> Result<Response<Bytes>, String> {
        let length = answer.headers().get(CONTENT_LENGTH);
        let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_none_or(|length| length <= HELD_BYTES_MAX) {
            return held(answer).await;
        }
        let (parts, body) = answer.into_parts();
        let mut answer = Response::from_parts(parts, Bytes::new());
        let streamed = Streamed(Arc::new(Mutex::new(Some(body))));
        answer.extensions_mut().insert(streamed);
        Ok(answer)
    }

    fn take(answer: &mut Response<Bytes>) -> Option<s3s::Body> {
        let streamed: Streamed = answer.extensions_mut().remove()?;
        let body = streamed.0.lock();
        body.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// An answer as it is sent, its body in pieces where it is large.
    pub fn sent(mut answer: Response<Bytes>) -> Response<Either<Full<Bytes>, s3s::Body>> {
        match Streamed::take(&mut answer) {
            Some(body) => answer.map(|_| Either::Right(body)),
            None => answer.map(|body| Either::Left(Full::new(body))),
        }
    }

    /// An answer with all of its body.
    ///
    /// # Errors
    /// The body cannot be read.
    pub async fn whole(mut answer: Response<Bytes>) -> Result<Response<Bytes>, String> {
        match Streamed::take(&mut answer) {
            Some(body) => held(answer.map(|_| body)).await,
            None => Ok(answer),
        }
    }
}

/// An answer whose body has been read.
///
/// # Errors
/// The body cannot be read.
async fn held(answer: Response<s3s::Body>) -> Result<Response<Bytes>, String> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
