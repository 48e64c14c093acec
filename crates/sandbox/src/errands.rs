//! Carries out what Elastic Beanstalk itself writes to buckets: each write passes through S3 as a
//! client's request does, without a client's permissions.

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::sandbox::Sandbox;
use crate::time::millis;
use crate::world::storage::Errand;

/// The characters of a key that a URL cannot bear as they are.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

impl Sandbox {
    /// Does these errands, one after the other.
    pub(crate) async fn run(&self, errands: Vec<Errand>) {
        for errand in errands {
            let Some(request) = self.request_of(errand) else {
                continue;
            };
            let now = millis(self.clock().now);
            let response = self.0.objects.handle(request, now).await;
            if response.status().is_server_error() {
                tracing::error!("an errand in S3 failed: {}", response.status());
            }
        }
    }

    /// The request of S3 that an errand is; `None` where there is nothing to do.
    fn request_of(&self, errand: Errand) -> Option<Request<Bytes>> {
        let (method, bucket, key, content) = match errand {
            Errand::Make { bucket } if self.0.objects.has_bucket(&bucket) => return None,
            Errand::Make { bucket } => (Method::PUT, bucket, String::new(), Vec::new()),
            Errand::Put { ref bucket, .. } | Errand::Remove { ref bucket, .. }
                if !self.0.objects.has_bucket(bucket) =>
            {
                return None;
            }
            Errand::Put {
                bucket,
                key,
                content,
            } => (Method::PUT, bucket, key, content),
            Errand::Remove { bucket, key } => (Method::DELETE, bucket, key, Vec::new()),
        };
        let path = match key.is_empty() {
            true => format!("/{bucket}"),
            false => format!("/{bucket}/{}", utf8_percent_encode(&key, IN_PATH)),
        };
        let request = Request::builder().method(method).uri(path);
        let request = request.header(HOST, "localhost");
        let length = content.len();
        let request = request.header(http::header::CONTENT_LENGTH, length);
        request.body(Bytes::from(content)).ok()
    }
}
