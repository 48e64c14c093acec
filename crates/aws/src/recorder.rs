//! Records the requests to AWS and their answers, where a command wants them recorded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_sdk_elasticbeanstalk::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_elasticbeanstalk::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticbeanstalk::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use crate::calls::{Call, CallObserver};
use crate::recording::{Comparison, Exchange};
use bluegreen_clock::Clock;
use bluegreen_core::acceptance::AcceptanceTest;
use bluegreen_core::facts::{Probe, Site};
use bluegreen_core::fidelity::Differing;

/// A body longer than this is a file's, and is not recorded.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The headers of answers that the clients read or a bug report needs. None of them holds
/// credentials.
const HEADERS: [&str; 8] = [
    "content-length",
    "last-modified",
    "retry-after",
    "x-amz-bucket-region",
    "x-amz-request-id",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amzn-requestid",
];

/// Records every attempt of every request of the clients that have it, answered or not, and the
/// results of comparisons; and reports each attempt to an observer. The default one records nothing
/// and reports to nobody.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    kept: Option<Arc<Mutex<Kept>>>,
    observer: Option<Arc<dyn CallObserver>>,
}

/// What it has recorded.
#[derive(Debug, Default)]
struct Kept {
    exchanges: Vec<Exchange>,
    comparisons: Vec<Comparison>,
}

impl Recorder {
    /// A recorder that records everything from now on.
    #[must_use]
    pub fn keeping() -> Recorder {
        Recorder {
            kept: Some(Arc::default()),
            observer: None,
        }
    }

    /// This recorder, reporting each attempt of each request to this observer.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn CallObserver>) -> Recorder {
        Recorder {
            observer: Some(observer),
            ..self
        }
    }

    /// What it has recorded so far, in its order.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.kept(|kept| kept.exchanges.clone()).unwrap_or_default()
    }

    /// How blue differs from its template and from green, by the last comparison.
    #[must_use]
    pub fn comparisons(&self) -> Vec<Comparison> {
        self.kept(|kept| kept.comparisons.clone())
            .unwrap_or_default()
    }

    fn kept<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        let kept = self.kept.as_ref()?;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut kept))
    }
}

impl Recorder {
    /// Records the status with which an environment's web site answered a test.
    pub(super) fn site(&self, site: &Site, test: &AcceptanceTest, probe: &Probe) {
        let is_path = test.url.starts_with('/');
        let exchange = Exchange {
            at: Clock::system().now(),
            host: site.cname.clone(),
            method: test.method.clone(),
            path: if is_path { test.url.as_str() } else { "/" }.to_owned(),
            target: None,
            body: None,
            status: probe.status,
            content_type: None,
            etag: None,
            headers: Vec::new(),
            answer: None,
            failure: (!probe.passed).then(|| probe.got.clone()),
        };
        self.kept(|kept| kept.exchanges.push(exchange));
    }

    /// Records how blue differs from what it was compared `with`, in place of an earlier comparison
    /// with the same.
    pub(super) fn compared(&self, with: &'static str, differing: impl FnOnce() -> Vec<Differing>) {
        self.kept(|kept| {
            kept.comparisons.retain(|earlier| earlier.with != with);
            let differing = differing();
            kept.comparisons.push(Comparison { with, differing });
        });
    }
}

impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "Recorder"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.observer.is_some() {
            bag.interceptor_state().store_put(Begun(Instant::now()));
        }
        if self.kept.is_none() {
            return Ok(());
        }
        let request = context.request();
        let uri: http::Uri = request.uri().parse()?;
        // The answer is filled in when it has come: the request itself is gone by then.
        bag.interceptor_state().store_put(Sent(Exchange {
            at: Clock::system().now(),
            host: uri.host().unwrap_or_default().to_owned(),
            method: request.method().to_owned(),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            target: request.headers().get("x-amz-target").map(str::to_owned),
            body: text(request.body().bytes()),
            status: None,
            content_type: None,
            etag: None,
            headers: Vec::new(),
            answer: None,
            failure: None,
        }));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if let Some(observer) = &self.observer
            && let (Some(Begun(began)), Some(request)) =
                (bag.load::<Begun>(), bag.load::<Metadata>())
        {
            observer.called(&Call {
                service: request.service().to_owned(),
                operation: request.name().to_owned(),
                took: began.elapsed(),
                status: response.map(|response| response.status().as_u16()),
            });
        }
        let Some(Sent(sent)) = bag.load::<Sent>() else {
            return Ok(());
        };
        let header = |name: &str| {
            let value = response?.headers().get(name)?;
            Some(value.to_owned())
        };
        let exchange = Exchange {
            at: Clock::system().now(),
            status: response.map(|response| response.status().as_u16()),
            content_type: header("content-type"),
            etag: header("etag"),
            headers: HEADERS
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), header(name)?)))
                .collect(),
            answer: response.and_then(|response| text(response.body().bytes())),
            failure: match (response, context.output_or_error()) {
                (None, Some(Err(error))) => Some(error.to_string()),
                _ => None,
            },
            ..sent.clone()
        };
        self.kept(|kept| kept.exchanges.push(exchange));
        Ok(())
    }
}

/// A body that is text, and no file's.
fn text(bytes: Option<&[u8]>) -> Option<String> {
    let bytes = bytes.filter(|bytes| bytes.len() <= BODY_BYTES_MAX)?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// A request on its way.
#[derive(Debug)]
struct Sent(Exchange);

/// When an attempt was sent.
#[derive(Debug)]
struct Begun(Instant);

impl Storable for Begun {
    type Storer = StoreReplace<Begun>;
}

impl Storable for Sent {
    type Storer = StoreReplace<Sent>;
}
