//! The spans and measurements of one deployment in this process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

use super::collector::Telemetry;
use crate::cloud::{Call, CallObserver};
use crate::deployment::Deployment;
use crate::events::{DeploymentEvent, Happened, Listener, Poll};
use crate::health::Health;
use crate::machine::Kind;

/// The spans and measurements of one deployment in this process.
pub struct Trace {
    telemetry: Arc<Telemetry>,
    session: Mutex<Option<Session>>,
}

/// What is open between a deployment's first event in this process and its last.
struct Session {
    /// The span of the whole.
    root: Context,
    strategy: String,
    stage: Stage,
    /// When a poll first saw production lost that no later poll has seen well.
    lost_since: Option<Instant>,
}

/// The stage that a deployment is in.
struct Stage {
    kind: Kind,
    span: Context,
    began: Instant,
}

impl Trace {
    /// A trace that nothing is in yet.
    #[must_use]
    pub fn new(telemetry: Arc<Telemetry>) -> Trace {
        Trace {
            telemetry,
            session: Mutex::new(None),
        }
    }

    /// Begins with a deployment where it stands; gives the trace's id, where there are traces.
    pub fn begin(&self, deployment: &Deployment) -> Option<String> {
        let mut session = self.session();
        let plan = &deployment.plan;
        let target = &plan.target;
        let attributes = [
            KeyValue::new("bluegreen.deployment", plan.id.clone()),
            KeyValue::new("bluegreen.strategy", plan.strategy.to_string()),
            KeyValue::new("bluegreen.application", target.application.clone()),
            KeyValue::new("bluegreen.blue", target.blue.clone()),
            KeyValue::new("bluegreen.version", plan.goal_version().to_owned()),
            KeyValue::new("cloud.region", target.region.clone()),
            KeyValue::new("cloud.account.id", target.account.clone()),
        ];
        let root = self.span(
            &Context::new(),
            "deployment".to_owned(),
            SpanKind::Internal,
            attributes,
        );
        let id = root.span().span_context().trace_id();
        let has_traces = root.span().span_context().is_valid();
        let stage = self.stage(&root, deployment.state.kind());
        *session = Some(Session {
            root,
            strategy: plan.strategy.to_string(),
            stage,
            lost_since: None,
        });
        has_traces.then(|| id.to_string())
    }

    /// Ends every span: the deployment rests, or this process leaves it.
    pub fn end(&self) {
        let Some(session) = self.session().take() else {
            return;
        };
        self.end_stage(&session.stage, &session.strategy);
        let kind = session.stage.kind;
        self.count_lost(session.lost_since);
        if let Some(instruments) = self.telemetry.instruments() {
            let state = KeyValue::new("state", kind.to_string());
            instruments.deployments.add(1, &[state]);
        }
        let span = session.root.span();
        span.set_attribute(KeyValue::new("bluegreen.state", kind.to_string()));
        if matches!(kind, Kind::Held | Kind::Stuck | Kind::RolledBack) {
            span.set_status(Status::error(kind.to_string()));
        }
        span.end();
    }

    fn stage(&self, root: &Context, kind: Kind) -> Stage {
        let attributes = [KeyValue::new("bluegreen.state", kind.to_string())];
        Stage {
            kind,
            span: self.span(root, kind.to_string(), SpanKind::Internal, attributes),
            began: Instant::now(),
        }
    }

    fn end_stage(&self, stage: &Stage, strategy: &str) {
        stage.span.span().end();
        if let Some(instruments) = self.telemetry.instruments() {
            let attributes = [
                KeyValue::new("state", stage.kind.to_string()),
                KeyValue::new("strategy", strategy.to_owned()),
            ];
            let lasted = stage.began.elapsed().as_secs_f64();
            instruments.stage_seconds.record(lasted, &attributes);
        }
    }

    /// A span below another; one that records nothing where there are no traces.
    fn span(
        &self,
        below: &Context,
        name: String,
        kind: SpanKind,
        attributes: impl IntoIterator<Item = KeyValue>,
    ) -> Context {
        match self.telemetry.tracer() {
            Some(tracer) => {
                let builder = tracer.span_builder(name).with_kind(kind);
                let builder = builder.with_attributes(attributes);
                below.with_span(builder.start_with_context(tracer, below))
            }
            None => below.clone(),
        }
    }

    fn enter(&self, from: Kind, to: Kind, why: &str) {
        let mut session = self.session();
        let Some(session) = session.as_mut() else {
            return;
        };
        session.stage.span.span().set_attributes([
            KeyValue::new("bluegreen.next", to.to_string()),
            KeyValue::new("bluegreen.why", why.to_owned()),
        ]);
        if from == to {
            return;
        }
        self.end_stage(&session.stage, &session.strategy);
        session.stage = self.stage(&session.root, to);
    }

    fn polled(&self, poll: &Poll) {
        self.count_poll("ok");
        let mut session = self.session();
        let Some(session) = session.as_mut() else {
            return;
        };
        let since = session.lost_since.take();
        session.lost_since = is_lost(poll).then(Instant::now);
        self.count_lost(since);
    }

    fn count_poll(&self, outcome: &'static str) {
        if let Some(instruments) = self.telemetry.instruments() {
            instruments
                .polls
                .add(1, &[KeyValue::new("outcome", outcome)]);
        }
    }

    fn count_lost(&self, since: Option<Instant>) {
        if let (Some(since), Some(instruments)) = (since, self.telemetry.instruments()) {
            let lost = since.elapsed().as_secs_f64();
            instruments.production_lost_seconds.add(lost, &[]);
        }
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a poll saw production without an environment, or with one that is not healthy enough
/// for any release.
fn is_lost(poll: &Poll) -> bool {
    let mut environments = poll.environments.iter();
    let holder = environments.find(|seen| Some(seen.role) == poll.production);
    let health = holder.and_then(|seen| {
        let health = Health::of(Some(&seen.health), "");
        health.or_else(|| Health::of(None, &seen.health))
    });
    holder.is_none() || matches!(health, Some(Health::Degraded | Health::Severe))
}

impl Listener for Trace {
    fn hear(&self, event: &DeploymentEvent) {
        match &event.record.happened {
            Happened::StateEntered { from, to, why, .. } => self.enter(*from, *to, why),
            Happened::Polled(poll) => self.polled(poll),
            Happened::PollFailed { .. } => self.count_poll("failed"),
            _ => {}
        }
    }
}

impl CallObserver for Trace {
    fn called(&self, call: &Call) {
        let below = {
            let session = self.session();
            session.as_ref().map(|session| session.stage.span.clone())
        };
        let status = call
            .status
            .map_or_else(|| "none".to_owned(), |status| status.to_string());
        if let Some(instruments) = self.telemetry.instruments() {
            let operation = KeyValue::new("operation", call.operation.clone());
            let attributes = [
                KeyValue::new("service", call.service.clone()),
                operation,
                KeyValue::new("status", status),
            ];
            instruments.api_calls.add(1, &attributes);
            let took = call.took.as_secs_f64();
            instruments.api_call_seconds.record(took, &attributes[..2]);
        }
        // What comes before the deployment, as the checks do, is in no trace.
        let (Some(below), Some(tracer)) = (below, self.telemetry.tracer()) else {
            return;
        };
        let mut attributes = vec![
            KeyValue::new("rpc.system", "aws-api"),
            KeyValue::new("rpc.service", call.service.clone()),
            KeyValue::new("rpc.method", call.operation.clone()),
        ];
        if let Some(status) = call.status {
            attributes.push(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
        }
        let now = SystemTime::now();
        let began = now.checked_sub(call.took).unwrap_or(now);
        let builder = tracer
            .span_builder(format!("{}.{}", call.service, call.operation))
            .with_kind(SpanKind::Client)
            .with_start_time(began)
            .with_attributes(attributes);
        let span = below.with_span(builder.start_with_context(tracer, &below));
        if !call.is_success() {
            span.span().set_status(Status::error(call.why()));
        }
        span.span().end_with_timestamp(now);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.end();
    }
}
