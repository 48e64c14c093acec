//! S3: the library `s3s-fs` over a folder, and here what that library leaves open.
//!
//! s3s-fs checks a write's condition and then writes; between the two another writer may come. It
//! keeps an object's checksums in a file of their own, so that a read beside a write could mix old
//! and new. Every request therefore runs under one lock, which holds between processes too.
//! Signatures are not checked, so bodies that were signed in chunks are unpacked here (S3 API
//! reference, "Signature calculations … chunked upload").

mod checksums;
mod request;

pub(crate) use request::{ENCRYPTION_KEY, ENCRYPTION_METHOD, decoded, operation, strip, target};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use s3s::Body;
use s3s::host::MultiDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::runtime::Runtime;

use crate::body::{Spooled, Streamed};
use crate::description::Description;
use crate::objects::checksums::mend;
use crate::objects::request::HOSTS;
use crate::{body, host};

/// What the sandbox puts where a version's source bundle lies.
pub(crate) const BUNDLE: &[u8] = b"a source bundle";

/// The buckets and objects of a sandbox, below one folder.
#[derive(Clone)]
pub(crate) struct Objects {
    root: PathBuf,
    service: S3Service,
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Where requests are carried out while the caller's runtime stands still.
    aside: Option<Arc<Aside>>,
}

/// A runtime that may be dropped anywhere.
struct Aside(Option<Runtime>);

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Objects {
    /// Opens the folder, making it where there is none. `at_once` carries a request
    /// out while its caller's runtime stands still: under a manual clock no time
    /// passes in it, and nothing else happens meanwhile.
    pub fn open(root: &Path, at_once: bool) -> std::io::Result<Objects> {
        std::fs::create_dir_all(root)?;
        let lock = exclusive(root)?;
        mend(root)?;
        let files = FileSystem::new(root).map_err(|e| std::io::Error::other(format!("{e:?}")))?;
        drop(lock);
        let mut builder = S3ServiceBuilder::new(files);
        let hosts = MultiDomain::new(HOSTS);
        if let Ok(hosts) = hosts {
            builder.set_host(hosts);
        }
        let aside = if at_once {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()?;
            Some(Arc::new(Aside(Some(runtime))))
        } else {
            None
        };
        Ok(Objects {
            root: root.to_owned(),
            service: builder.build(),
            turn: Arc::default(),
            aside,
        })
    }

    /// Makes the buckets that a world is described with, and puts its versions' bundles there.
    pub fn begin(&self, described: &Description) -> std::io::Result<()> {
        for bucket in described.buckets() {
            std::fs::create_dir_all(self.root.join(bucket))?;
        }
        for (bucket, key) in described.bundles() {
            self.seed(bucket, key, BUNDLE)?;
        }
        Ok(())
    }

    /// Puts an object where there is none, and its bucket.
    pub fn seed(&self, bucket: &str, key: &str, content: &[u8]) -> std::io::Result<()> {
        let path = self.root.join(bucket).join(key);
        if path.exists() {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, content)
    }

    /// Every object as `bucket/key`, sorted.
    pub fn keys(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            for path in entries.map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if folder != self.root
                    && let Ok(key) = path.strip_prefix(&self.root)
                {
                    found.push(key.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// The multipart uploads that were begun and neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.root)
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut found: Vec<_> = names
            .filter_map(|name| {
                Some(
                    name.strip_prefix(".upload-")?
                        .trim_end_matches(".json")
                        .to_owned(),
                )
            })
            .collect();
        found.sort();
        found
    }

    /// Whether this bucket exists; an empty name stands for all of them.
    pub fn has_bucket(&self, bucket: &str) -> bool {
        self.root.join(bucket).is_dir()
    }

    /// Whether an existing bucket lacks an object.
    pub fn lacks(&self, bucket: &str, key: &str) -> bool {
        self.has_bucket(bucket) && !self.root.join(bucket).join(key).is_file()
    }

    /// Where the bodies of requests may be put while they come.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Carries out a request, whose body may be [`Spooled`] and whose answer's [`Streamed`].
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        if climbs(&request) {
            let message = "The key may not leave its bucket.";
            return failure(StatusCode::BAD_REQUEST, "InvalidURI", message);
        }
        let Some(request) = unsigned(request, &self.root) else {
            return failure(
                StatusCode::BAD_REQUEST,
                "InvalidRequest",
                "The chunked body is malformed.",
            );
        };
        // A client that hangs up must not leave a write half done.
        let objects = self.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        let carried_out = async move {
            let response = objects.carry_out(request).await;
            let response = response.unwrap_or_else(|error| internal_error(&error));
            // Nobody waits for it any more where the caller hung up.
            let _ = sender.send(response);
        };
        match self.aside.as_ref().and_then(|aside| aside.0.as_ref()) {
            Some(runtime) => drop(runtime.spawn(carried_out)),
            None => drop(tokio::spawn(carried_out).await),
        }
        let received = receiver.recv();
        received.unwrap_or_else(|error| internal_error(&error.to_string()))
    }

    async fn carry_out(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let _turn = (self.turn.lock().await, self.lock().await);
        if self.lacks_bucket(&request) {
            let message = "The specified bucket does not exist";
            return Ok(failure(StatusCode::NOT_FOUND, "NoSuchBucket", message));
        }
        let spooled = Spooled::of(&request).cloned();
        let request = request.map(|held| match spooled {
            Some(spooled) => Body::http_body(spooled.pieces()),
            None => Body::from(held),
        });
        let response = self.service.call(request).await;
        let response = Streamed::or_held(response.map_err(|e| format!("{e:?}"))?).await?;
        match self.aside {
            Some(_) => Streamed::whole(response).await,
            None => Ok(response),
        }
    }

    /// Whether an object's bucket is missing, which s3s-fs reports as a missing key, or only after
    /// it has checked the condition of a write.
    fn lacks_bucket(&self, request: &Request<Bytes>) -> bool {
        let path_style = request.headers().get(HOST).is_none_or(|h| h == "localhost");
        let path = request.uri().path().trim_start_matches('/');
        let bucket = path.split_once('/').filter(|(_, key)| !key.is_empty());
        path_style && bucket.is_some_and(|(bucket, _)| !self.root.join(bucket).is_dir())
    }

    async fn lock(&self) -> Option<File> {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || exclusive(&root).ok())
            .await
            .ok()
            .flatten()
    }
}

fn internal_error(message: &str) -> Response<Bytes> {
    failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
}

/// Holds the folder's lock until the file is dropped.
fn exclusive(root: &Path) -> std::io::Result<File> {
    let mut path = root.as_os_str().to_owned();
    path.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(path))?;
    file.lock()?;
    Ok(file)
}

/// Whether a bucket or a key names the folder that it is in, or the one above: it would be
/// another's on disk.
fn climbs(request: &Request<Bytes>) -> bool {
    let (bucket, key) = target(request);
    let source = request.headers().get("x-amz-copy-source");
    let source = source.and_then(|source| source.to_str().ok());
    let names = [bucket, key, decoded(source.unwrap_or_default())];
    let climbs = |name: &str| name.split('/').any(|part| matches!(part, "." | ".."));
    let many = String::from_utf8_lossy(match operation(request) {
        "DeleteObjects" => request.body(),
        _ => &[],
    });
    names.iter().any(|name| climbs(name)) || many.contains("../")
}

/// The request without its signature and with its body unpacked, below `folder` where it is large;
/// `None` where the body is malformed.
fn unsigned(mut request: Request<Bytes>, folder: &Path) -> Option<Request<Bytes>> {
    let sha256 = HeaderName::from_static("x-amz-content-sha256");
    let header = |request: &Request<Bytes>, name: &HeaderName| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let chunked = header(&request, &sha256).is_some_and(|v| v.starts_with("STREAMING-"))
        || header(&request, &CONTENT_ENCODING).is_some_and(|v| v.contains("aws-chunked"));
    if chunked {
        let length = match Spooled::of(&request) {
            Some(spooled) => {
                let content = spooled.unpacked(folder).ok()?;
                let length = content.length();
                request.extensions_mut().insert(content);
                length
            }
            None => {
                *request.body_mut() = body::unpacked(request.body())?;
                request.body().len() as u64
            }
        };
        for name in [
            CONTENT_ENCODING,
            TRANSFER_ENCODING,
            HeaderName::from_static("x-amz-trailer"),
            HeaderName::from_static("x-amz-decoded-content-length"),
        ] {
            request.headers_mut().remove(name);
        }
        let length = HeaderValue::from(length);
        request.headers_mut().insert(CONTENT_LENGTH, length);
    }
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(sha256);
    // s3s reads the bucket from the host's name; an address is path style.
    let host = host::host(&request);
    let name = match host.parse::<std::net::IpAddr>() {
        Ok(_) => "localhost",
        Err(_) => &host,
    };
    if let Ok(name) = HeaderValue::from_str(name) {
        request.headers_mut().insert(HOST, name);
    }
    Some(request)
}

/// An S3 error answer (API reference, "Error responses").
pub(crate) fn failure(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let escaped = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{escaped}</Message></Error>"
    );
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    response
}
