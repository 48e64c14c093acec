//! What is measured.

use opentelemetry::metrics::{Counter, Histogram, Meter};

/// The instruments, under their names in docs/operate/telemetry.md.
pub(super) struct Instruments {
    pub stage_seconds: Histogram<f64>,
    pub polls: Counter<u64>,
    pub api_calls: Counter<u64>,
    pub api_call_seconds: Histogram<f64>,
    pub production_lost_seconds: Counter<f64>,
    pub deployments: Counter<u64>,
}

/// The limits of the buckets of a stage's duration: from a swap to a bake of a day.
const STAGE_BUCKETS: [f64; 12] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0,
];

/// The limits of the buckets of a call's duration.
const CALL_BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

impl Instruments {
    pub fn of(meter: &Meter) -> Instruments {
        Instruments {
            stage_seconds: meter
                .f64_histogram("bluegreen.stage.duration")
                .with_unit("s")
                .with_description("How long a deployment was in a state")
                .with_boundaries(STAGE_BUCKETS.to_vec())
                .build(),
            polls: meter
                .u64_counter("bluegreen.polls")
                .with_description("Polls of AWS, by their outcome")
                .build(),
            api_calls: meter
                .u64_counter("bluegreen.aws.calls")
                .with_description("Requests to AWS, each attempt, by operation and status")
                .build(),
            api_call_seconds: meter
                .f64_histogram("bluegreen.aws.call.duration")
                .with_unit("s")
                .with_description("How long AWS took to answer an attempt of a request")
                .with_boundaries(CALL_BUCKETS.to_vec())
                .build(),
            production_lost_seconds: meter
                .f64_counter("bluegreen.production.lost")
                .with_unit("s")
                .with_description("How long polls saw production unhealthy or without environment")
                .build(),
            deployments: meter
                .u64_counter("bluegreen.deployments.rested")
                .with_description("Deployments that came to rest, by the state")
                .build(),
        }
    }
}
