//! S3: `s3s` takes requests apart and puts answers together, `service` carries the operations out,
//! and `store` keeps buckets and objects below a folder.
//!
//! One request at a time works on the folder, under a lock that holds between processes too, so
//! that a write's condition still holds when it is written.

mod checksums;
mod earlier;
mod failure;
mod plain;
mod presigned;
mod request;
mod service;
mod store;

pub(crate) use failure::{failure, identified};
pub(crate) use presigned::access_key;
pub(crate) use request::{ENCRYPTION_KEY, ENCRYPTION_METHOD, decoded, operation, target};
pub(crate) use service::operations;
pub(crate) use store::is_own_root;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use s3s::Body;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::runtime::Runtime;

use crate::body::{Spooled, Streamed};
use crate::objects::checksums::Algorithm;
use crate::objects::failure::Subject;
use crate::objects::plain::plain;
use crate::objects::presigned::accepted;
use crate::objects::request::{climbs, in_path_style};
use crate::objects::service::{Moment, Service, exclusive, made};
use crate::objects::store::Store;
use crate::objects::store::object::{Content, NULL, Object, Version};
use crate::objects::store::staged::Writer;
use crate::time::Millis;
use crate::world::names::ACCOUNT;

/// What the sandbox puts where a version's source bundle lies.
const BUNDLE: &[u8] = b"a source bundle";

/// The buckets and objects of a sandbox, below one folder.
#[derive(Clone)]
pub(crate) struct Objects {
    store: Store,
    service: S3Service,
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
        let store = Store::open(root)?;
        earlier::take_over(&store)?;
        drop(lock);
        let aside = if at_once {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()?;
            Some(Arc::new(Aside(Some(runtime))))
        } else {
            None
        };
        let service = S3ServiceBuilder::new(Service::new(store.clone())).build();
        Ok(Objects {
            store,
            service,
            aside,
        })
    }

    /// Makes the buckets that a new world begins with, and puts a bundle in each place, given as
    /// `bucket/key`.
    pub fn begin<'a>(
        &self,
        buckets: impl Iterator<Item = &'a str>,
        bundles: &[String],
        at: Millis,
    ) -> std::io::Result<()> {
        for bucket in buckets {
            self.make_bucket(bucket, at)?;
        }
        for (bucket, key) in bundles.iter().filter_map(|place| place.split_once('/')) {
            self.seed(bucket, key, at)?;
        }
        Ok(())
    }

    /// Makes a bucket where there is none.
    pub fn make_bucket(&self, name: &str, at: Millis) -> std::io::Result<()> {
        let _lock = exclusive(self.store.root())?;
        if self.store.bucket(name)?.is_some() {
            return Ok(());
        }
        let bucket = made(at, None);
        let bucket = bucket.map_err(|error| std::io::Error::other(error.to_string()))?;
        self.store.write_bucket(name, &bucket)
    }

    /// Puts a bundle where there is no object, and makes its bucket.
    fn seed(&self, name: &str, key: &str, at: Millis) -> std::io::Result<()> {
        self.make_bucket(name, at)?;
        let _lock = exclusive(self.store.root())?;
        if !self.store.object(name, key)?.versions.is_empty() {
            return Ok(());
        }
        let mut writer = Writer::new(&self.store.staging(), Algorithm::Crc64Nvme.hasher())?;
        writer.write(BUNDLE)?;
        let staged = writer.finish();
        let content = Content {
            size: staged.size,
            e_tag: staged.e_tag(),
            sums: staged.sums.clone(),
            data: self.store.keep(name, key, staged)?,
            ..Content::default()
        };
        let version = Version {
            id: NULL.to_owned(),
            at,
            content: Some(content),
        };
        let versions = vec![version];
        self.store.write_object(name, key, &Object { versions })
    }

    /// Every object as `bucket/key`, sorted.
    pub fn keys(&self) -> Vec<String> {
        let mut found = Vec::new();
        for bucket in self.store.buckets().unwrap_or_default() {
            let keys = self.store.keys(&bucket).unwrap_or_default();
            let exists = |key: &String| !self.lacks(&bucket, key);
            let keys = keys.into_iter().filter(exists);
            found.extend(keys.map(|key| format!("{bucket}/{key}")));
        }
        found.sort();
        found
    }

    /// The multipart uploads that were begun and neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> Vec<String> {
        let buckets = self.store.buckets().unwrap_or_default();
        let uploads = buckets.iter().map(|bucket| self.store.uploads(bucket));
        let mut found: Vec<_> = uploads.flat_map(Result::unwrap_or_default).collect();
        found.sort();
        found
    }

    /// Whether this bucket exists; an empty name stands for all of them.
    pub fn has_bucket(&self, bucket: &str) -> bool {
        bucket.is_empty() || matches!(self.store.bucket(bucket), Ok(Some(_)))
    }

    /// Whether an existing bucket lacks an object.
    pub fn lacks(&self, bucket: &str, key: &str) -> bool {
        let object = || self.store.object(bucket, key).unwrap_or_default();
        self.has_bucket(bucket) && object().current().is_none()
    }

    /// Where the bodies of requests may be put while they come.
    pub fn folder(&self) -> &Path {
        self.store.root()
    }

    /// Carries out a request, whose body may be [`Spooled`] and whose answer's [`Streamed`], at a
    /// time of the sandbox's own.
    pub async fn handle(&self, request: Request<Bytes>, now: Millis) -> Response<Bytes> {
        let subject = Subject::of(&request);
        let response = match self.accepted(request, now) {
            Ok(request) => self.carried_out(request).await,
            Err(refusal) => *refusal,
        };
        subject.complete(response)
    }

    /// The request as the library takes it.
    fn accepted(
        &self,
        request: Request<Bytes>,
        now: Millis,
    ) -> Result<Request<Bytes>, Box<Response<Bytes>>> {
        let request = in_path_style(accepted(request, now)?);
        let (bucket, key) = target(&request);
        if climbs(&bucket) || bucket == "." || climbs(&key) {
            let message = "Couldn't parse the specified URI.";
            return Err(Box::new(failure(
                StatusCode::BAD_REQUEST,
                "InvalidURI",
                message,
            )));
        }
        self.check_owner(&request, &bucket)?;
        let request = plain(request, self.folder()).ok_or_else(|| {
            let message = "The chunked body is malformed.";
            failure(StatusCode::BAD_REQUEST, "InvalidRequest", message)
        });
        let mut request = request.map_err(Box::new)?;
        request.extensions_mut().insert(Moment(now));
        Ok(request)
    }

    /// Checks whom a client expects to own the buckets that it names (S3 user guide, "Verifying
    /// bucket ownership with bucket owner condition").
    fn check_owner<B>(
        &self,
        request: &Request<B>,
        bucket: &str,
    ) -> Result<(), Box<Response<Bytes>>> {
        let source = request.headers().get("x-amz-copy-source");
        let source = decoded(
            source
                .and_then(|source| source.to_str().ok())
                .unwrap_or_default(),
        );
        let source = source
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let refused =
            |code: &str, message: &str, status| Err(Box::new(failure(status, code, message)));
        for (header, bucket) in [
            ("x-amz-expected-bucket-owner", bucket),
            ("x-amz-source-expected-bucket-owner", source),
        ] {
            let Some(owner) = request.headers().get(header) else {
                continue;
            };
            if owner.len() != 12 || !owner.as_bytes().iter().all(u8::is_ascii_digit) {
                let code = "InvalidBucketOwnerAWSAccountID";
                let message =
                    "The value of the expected bucket owner parameter must be an AWS Account ID...";
                return refused(code, message, StatusCode::BAD_REQUEST);
            }
            if owner.as_bytes() != ACCOUNT.as_bytes() && self.has_bucket(bucket) {
                return refused("AccessDenied", "Access Denied", StatusCode::FORBIDDEN);
            }
        }
        Ok(())
    }

    async fn carried_out(&self, request: Request<Bytes>) -> Response<Bytes> {
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
}

fn internal_error(message: &str) -> Response<Bytes> {
    failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
}
