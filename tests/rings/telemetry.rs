//! Traces and metrics: the real binary against a collector that decodes what it is sent.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Output;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message;

use crate::support::receiver::Receiver;
use crate::support::served::Served;

const SPEED: f64 = 600.0;

fn released(served: &Served, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = served.bluegreen(&["run", "--version-label", "v2"]);
    command.envs(variables.iter().copied());
    told(&command.output().expect("it runs"))
}

fn told(output: &Output) -> (Option<i32>, String) {
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&told).into_owned(),
    )
}

fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Every span that a collector got, and the service names of their resources.
fn spans(collector: &Receiver) -> (Vec<Span>, BTreeSet<String>) {
    let (mut spans, mut services) = (Vec::new(), BTreeSet::new());
    for received in collector.received() {
        if received.path != "/v1/traces" {
            continue;
        }
        assert_eq!(received.header("content-type"), "application/x-protobuf");
        let request = ExportTraceServiceRequest::decode(&*received.body).expect("it decodes");
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.expect("a resource");
            services.extend(value(&resource.attributes, "service.name"));
            for of_scope in of_resource.scope_spans {
                spans.extend(of_scope.spans);
            }
        }
    }
    (spans, services)
}

/// The names of the metrics that a collector got.
fn metrics(collector: &Receiver) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for received in collector.received() {
        if received.path != "/v1/metrics" {
            continue;
        }
        let request = ExportMetricsServiceRequest::decode(&*received.body).expect("it decodes");
        let resources = request.resource_metrics.into_iter();
        let scopes = resources.flat_map(|of_resource| of_resource.scope_metrics);
        names.extend(
            scopes
                .flat_map(|of_scope| of_scope.metrics)
                .map(|metric| metric.name),
        );
    }
    names
}

#[test]
fn a_collector_gets_a_span_for_each_stage_with_the_calls_of_aws_below() {
    let served = Served::at_speed(SPEED);
    let collector = Receiver::answering(|_, _| Some((200, String::new())));
    let (code, said) = released(
        &served,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url("")),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop"),
            ("OTEL_SERVICE_NAME", "releases"),
        ],
    );
    assert_eq!(code, Some(0), "{said}");
    let (spans, services) = spans(&collector);
    assert_eq!(services, BTreeSet::from(["releases".to_owned()]));
    for received in collector.received() {
        assert_eq!(received.header("x-tenant"), "shop");
    }
    let roots: Vec<_> = spans
        .iter()
        .filter(|span| span.parent_span_id.is_empty())
        .collect();
    let [root] = roots[..] else {
        panic!("{} roots", roots.len());
    };
    assert_eq!(root.name, "deployment");
    assert_eq!(
        value(&root.attributes, "bluegreen.version").as_deref(),
        Some("v2")
    );
    assert_eq!(
        value(&root.attributes, "bluegreen.state").as_deref(),
        Some("Completed")
    );
    let stages: Vec<_> = spans
        .iter()
        .filter(|span| span.parent_span_id == root.span_id)
        .collect();
    let names: Vec<_> = stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names[0], "Preparing");
    for stage in [
        "Cloning",
        "SwappingToGreen",
        "Deploying",
        "Baking",
        "Completed",
    ] {
        assert!(names.contains(&stage), "{names:?}");
    }
    let cloning = stages
        .iter()
        .find(|stage| stage.name == "Cloning")
        .expect("a stage");
    let calls = spans
        .iter()
        .filter(|span| span.parent_span_id == cloning.span_id);
    let calls: BTreeSet<_> = calls.map(|call| call.name.as_str()).collect();
    let described = calls
        .iter()
        .any(|call| call.ends_with(".DescribeEnvironments"));
    assert!(described, "{calls:?}");
    for span in &spans {
        assert_eq!(span.trace_id, root.trace_id, "{}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    let id: String = root
        .trace_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(said.contains(&id), "the log has the trace's id: {said}");
    let names = metrics(&collector);
    for name in [
        "bluegreen.stage.duration",
        "bluegreen.polls",
        "bluegreen.aws.calls",
    ] {
        assert!(names.contains(name), "{names:?}");
    }
}

#[test]
fn a_collector_that_is_out_of_reach_or_never_answers_fails_no_release() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    // It accepts and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = hanging.local_addr().expect("an address").port();
    for port in [port, silent] {
        let served = Served::at_speed(SPEED);
        let url = format!("http://127.0.0.1:{port}");
        let (code, said) = released(&served, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
        assert_eq!(code, Some(0), "{said}");
        let warnings = said
            .matches("the collector of OTEL_EXPORTER_OTLP_ENDPOINT")
            .count();
        assert!(warnings <= 1, "{said}");
        let report = served.sandbox.report();
        assert_eq!(report.lost, 0, "{:?}", report.losses);
    }
}

#[test]
fn another_protocol_is_named_and_nothing_is_sent() {
    let served = Served::at_speed(SPEED);
    let collector = Receiver::new();
    let url = collector.url("");
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let (code, said) = released(&served, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), grpc]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc"), "{said}");
    assert!(!said.contains("trace_id"), "{said}");
    assert_eq!(collector.received().len(), 0);
}

#[test]
fn a_deployment_that_rolls_back_is_an_error_in_its_trace() {
    let served = Served::at_speed(SPEED);
    let collector = Receiver::answering(|_, _| Some((200, String::new())));
    let hook =
        "{ when = 'before', stage = 'cloning', command = 'exit 1', on-failure = 'rollback' }";
    let mut command = served.bluegreen(&["run", "--version-label", "v2", "--hook", hook]);
    command.env(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        collector.url("/v1/traces"),
    );
    let (code, said) = told(&command.output().expect("it runs"));
    assert_eq!(code, Some(10), "{said}");
    let (spans, services) = spans(&collector);
    assert_eq!(services, BTreeSet::from(["bluegreen".to_owned()]));
    let root = spans.iter().find(|span| span.parent_span_id.is_empty());
    let status = root.expect("a root").status.as_ref().expect("a status");
    assert_eq!(status.code, StatusCode::Error as i32);
    assert_eq!(metrics(&collector), BTreeSet::new());
}
