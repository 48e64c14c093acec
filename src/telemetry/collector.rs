//! The exporters to a collector. None of them delays a release: spans and metrics wait in bounded
//! queues of threads of their own, and what a collector does not take in time is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::warn;

use super::instruments::Instruments;
use super::settings::Settings;
use crate::prober::root_cause;

/// The name of the instrumentation, and of the service where no variable gives another.
const NAME: &str = "bluegreen";

/// Timeout of one request to the collector.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of the collector's answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a process sends to its collector.
pub struct Telemetry {
    tracing: Option<(SdkTracerProvider, SdkTracer)>,
    metering: Option<(SdkMeterProvider, Instruments)>,
}

impl Telemetry {
    /// The telemetry of a process that runs in tokio's runtime, where these settings want any.
    ///
    /// # Errors
    /// What a variable lacks, in words.
    pub fn new(settings: Settings) -> Result<Option<Telemetry>, String> {
        if !settings.is_on() {
            return Ok(None);
        }
        let client: Arc<dyn HttpClient> = Arc::new(Client::new()?);
        let resource = resource(settings);
        let tracing = match settings.traces {
            true => {
                let exporter = SpanExporter::builder().with_http();
                let exporter = exporter.with_shared_http_client(client.clone()).build();
                let exporter = exporter.map_err(|error| error.to_string())?;
                let provider = SdkTracerProvider::builder()
                    .with_batch_exporter(exporter)
                    .with_resource(resource.clone())
                    .build();
                let tracer = provider.tracer(NAME);
                Some((provider, tracer))
            }
            false => None,
        };
        let metering = match settings.metrics {
            true => {
                let exporter = MetricExporter::builder().with_http();
                let exporter = exporter.with_shared_http_client(client).build();
                let exporter = exporter.map_err(|error| error.to_string())?;
                let provider = SdkMeterProvider::builder()
                    .with_periodic_exporter(exporter)
                    .with_resource(resource)
                    .build();
                let instruments = Instruments::of(&provider.meter(NAME));
                Some((provider, instruments))
            }
            false => None,
        };
        Ok(Some(Telemetry { tracing, metering }))
    }

    pub(super) fn tracer(&self) -> Option<&SdkTracer> {
        self.tracing.as_ref().map(|(_, tracer)| tracer)
    }

    pub(super) fn instruments(&self) -> Option<&Instruments> {
        self.metering.as_ref().map(|(_, instruments)| instruments)
    }

    /// Sends what is left, for so long at most.
    pub async fn end(self: Arc<Telemetry>, limit: Duration) {
        let (ended, end) = tokio::sync::oneshot::channel();
        // The SDK waits on a thread, and this one must not be waited for.
        let thread = std::thread::Builder::new().spawn(move || {
            if let Some((provider, _)) = &self.tracing {
                let _ = provider.shutdown_with_timeout(limit);
            }
            if let Some((provider, _)) = &self.metering {
                let _ = provider.shutdown_with_timeout(limit);
            }
            let _ = ended.send(());
        });
        if thread.is_err() {
            return;
        }
        let _ = tokio::time::timeout(limit, end).await;
    }
}

/// What all of it is about: the variables' attributes, and the service's name.
fn resource(settings: Settings) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    match settings.has_service_name {
        true => resource.build(),
        false => resource.with_service_name(NAME).build(),
    }
}

/// Sends requests to the collector in the process's runtime.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
    has_warned: Arc<AtomicBool>,
}

impl Client {
    fn new() -> Result<Client, String> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bluegreen/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .build();
        Ok(Client {
            client: client.map_err(root_cause)?,
            runtime: Handle::current(),
            has_warned: Arc::default(),
        })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        // The exporter's own thread has no runtime.
        let sending = self
            .runtime
            .spawn(async move { send(&client, request).await });
        let sent = match sending.await {
            Ok(sent) => sent,
            Err(error) => Err(error.to_string()),
        };
        let why = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(why) => Some(why.clone()),
        };
        if let Some(why) = why
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            warn!(
                "the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not take traces or metrics: \
                 {why}; users and the release are not affected, and what it does not take is dropped"
            );
        }
        sent.map_err(HttpError::from)
    }
}

async fn send(
    client: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, String> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string();
    let request = client.request(parts.method, url).headers(parts.headers);
    let mut answer = request.body(body).send().await.map_err(root_cause)?;
    let status = answer.status();
    let headers = answer.headers().clone();
    let mut read = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(root_cause)? {
        read.extend_from_slice(&chunk);
        if read.len() > ANSWER_BYTES_MAX {
            return Err("an answer that is too long".to_owned());
        }
    }
    let mut response = Response::new(Bytes::from(read));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
