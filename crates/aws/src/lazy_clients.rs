//! The clients that most runs do without: each is made when it is first used, because
//! making one takes milliseconds.

use std::sync::{Arc, OnceLock};

use aws_config::SdkConfig;

use super::origin::{AgainWhereForeign, OnlyAws};
use super::recorder::Recorder;
use super::retries::{Retries, retry_budget};

/// The clients of one region and account that are made when they are first used.
#[derive(Clone, Debug)]
pub(super) struct LazyClients(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: SdkConfig,
    recorder: Recorder,
    repeated: Retries,
    route53: OnceLock<aws_sdk_route53::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

impl LazyClients {
    pub fn new(config: &SdkConfig, recorder: Recorder, repeated: Retries) -> LazyClients {
        LazyClients(Arc::new(Inner {
            config: config.clone(),
            recorder,
            repeated,
            route53: OnceLock::new(),
            iam: OnceLock::new(),
            sts: OnceLock::new(),
        }))
    }

    pub fn config(&self) -> &SdkConfig {
        &self.0.config
    }

    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    pub fn repeated(&self) -> &Retries {
        &self.0.repeated
    }

    pub fn route53(&self) -> &aws_sdk_route53::Client {
        self.0.route53.get_or_init(|| {
            let config = aws_sdk_route53::config::Builder::from(&self.0.config);
            let config = config.interceptor(self.0.recorder.clone());
            let config = config.interceptor(self.0.repeated.clone());
            let config = config
                .interceptor(OnlyAws::Xml)
                .retry_classifier(AgainWhereForeign);
            let config = config.retry_partition(retry_budget("route53"));
            aws_sdk_route53::Client::from_conf(config.build())
        })
    }

    pub fn iam(&self) -> &aws_sdk_iam::Client {
        self.0.iam.get_or_init(|| {
            let config = aws_sdk_iam::config::Builder::from(&self.0.config);
            let config = config.interceptor(self.0.recorder.clone());
            let config = config.interceptor(self.0.repeated.clone());
            let config = config
                .interceptor(OnlyAws::Xml)
                .retry_classifier(AgainWhereForeign);
            let config = config.retry_partition(retry_budget("iam"));
            aws_sdk_iam::Client::from_conf(config.build())
        })
    }

    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.0.sts.get_or_init(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.0.config);
            let config = config.interceptor(self.0.recorder.clone());
            let config = config.interceptor(self.0.repeated.clone());
            let config = config
                .interceptor(OnlyAws::Xml)
                .retry_classifier(AgainWhereForeign);
            let config = config.retry_partition(retry_budget("sts"));
            aws_sdk_sts::Client::from_conf(config.build())
        })
    }
}
