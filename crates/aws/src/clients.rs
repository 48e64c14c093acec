//! The clients of one region and account.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_elasticbeanstalk as eb;
use aws_sdk_elasticbeanstalk::config::retry::RetryConfig;
use aws_sdk_elasticloadbalancingv2 as elb;
use aws_sdk_s3 as s3;

use tracing::warn;

use crate::encryption::Encryption;
use crate::lazy_clients::LazyClients;
use crate::limits::AccountLimits;
use crate::origin::{AgainWhereForeign, OnlyAws};
use crate::prober::Prober;
use crate::recorder::Recorder;
use crate::retries::{Retries, retry_budget};
use crate::state_key::StateKey;
use crate::time::ServiceTime;
use bluegreen_clock::{Clock, whole_seconds};

/// The clients of one region and account.
#[derive(Clone, Debug)]
pub struct AwsCloud {
    pub(crate) eb: eb::Client,
    pub(crate) s3: s3::Client,
    pub(crate) lazy_clients: LazyClients,
    pub(crate) cloudwatch: cloudwatch::Client,
    pub(crate) elb: elb::Client,
    pub(crate) time: ServiceTime,
    /// The requests that the clients above have repeated.
    pub(crate) repeated: Retries,
    /// The encryption that every upload to the artifacts bucket requests.
    pub(crate) encryption: Option<Encryption>,
    /// The key that authenticates the state in it.
    pub(crate) state_key: Option<StateKey>,
    pub(crate) prober: Arc<dyn Prober>,
    /// What it shares with other deployments of this process.
    pub(crate) limits: Option<AccountLimits>,
    /// How often it has read the health of production while that is monitored.
    pub(crate) vitals_read: Arc<AtomicUsize>,
}

/// How the description of everything that this program creates begins; the deployment's id follows.
pub(crate) const DESCRIPTION: &str = "bluegreen deployment ";

/// Clocks that differ by less count as equal: a Date header counts whole seconds, and an answer is
/// under way for a while.
const CLOCKS_AGREE: Duration = Duration::from_secs(5);

/// How many attempts a request to Elastic Beanstalk or S3 has at least. A poll takes up to ten
/// requests, and all of them must be answered: with the SDK's three attempts one poll in ten
/// succeeds where 60 % of the requests are throttled. A run that begins reads its lock and its
/// place in the queue once.
const ATTEMPTS_MIN: u32 = 5;

/// How many attempts a read before a release has at most, and how long they may take together: a
/// read that stays unanswered leaves a check unknown, which stops nothing. Where 60 % of all
/// requests are throttled, one read in five hundred stays unanswered so.
const CHECK_ATTEMPTS_MAX: u32 = 12;
const CHECK_TIME_MAX: Duration = Duration::from_secs(2 * 60);

impl AwsCloud {
    /// What sends requests to the environments' web sites.
    #[must_use]
    pub fn prober(&self) -> Arc<dyn Prober> {
        Arc::clone(&self.prober)
    }

    /// Clients with this configuration; `prober` sends the tests to the environments' web sites.
    #[must_use]
    pub fn new(config: &SdkConfig, prober: Arc<dyn Prober>) -> AwsCloud {
        AwsCloud::recorded_by(config, prober, Recorder::default())
    }

    /// These clients, with this recorder for their requests and answers.
    #[must_use]
    pub fn recorded_by(
        config: &SdkConfig,
        prober: Arc<dyn Prober>,
        recorder: Recorder,
    ) -> AwsCloud {
        AwsCloud::within(None, config, prober, recorder)
    }

    /// These clients, within the limits that the deployments of this process share.
    #[must_use]
    pub fn within(
        limits: Option<AccountLimits>,
        config: &SdkConfig,
        prober: Arc<dyn Prober>,
        recorder: Recorder,
    ) -> AwsCloud {
        let time = ServiceTime::default();
        let retries = config.retry_config().cloned();
        let retries = retries.unwrap_or_else(RetryConfig::standard);
        let attempts = retries.max_attempts().max(ATTEMPTS_MIN);
        let repeated = Retries::default();
        let eb = eb::config::Builder::from(config)
            .interceptor(time.clone())
            .interceptor(recorder.clone())
            .interceptor(repeated.clone())
            .retry_config(retries.clone().with_max_attempts(attempts))
            .interceptor(OnlyAws::Xml)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("elasticbeanstalk"));
        let eb = match &limits {
            Some(limits) => eb.interceptor(limits.clone()),
            None => eb,
        };
        let s3 = s3::config::Builder::from(config)
            .interceptor(recorder.clone())
            .interceptor(repeated.clone())
            .retry_config(retries.with_max_attempts(attempts))
            .interceptor(OnlyAws::Objects)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("s3"));
        let cloudwatch = cloudwatch::config::Builder::from(config)
            .interceptor(recorder.clone())
            .interceptor(repeated.clone())
            .interceptor(OnlyAws::Typed)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("cloudwatch"));
        let elb = elb::config::Builder::from(config)
            .interceptor(recorder.clone())
            .interceptor(repeated.clone())
            .interceptor(OnlyAws::Xml)
            .retry_classifier(AgainWhereForeign)
            .retry_partition(retry_budget("elb"));
        AwsCloud {
            cloudwatch: cloudwatch::Client::from_conf(cloudwatch.build()),
            elb: elb::Client::from_conf(elb.build()),
            eb: eb::Client::from_conf(eb.build()),
            s3: s3::Client::from_conf(s3.build()),
            lazy_clients: LazyClients::new(config, recorder, repeated.clone()),
            repeated,
            time,
            encryption: None,
            state_key: None,
            prober,
            limits,
            vitals_read: Arc::default(),
        }
    }

    /// The clients of Elastic Beanstalk, once a call that reads may be sent.
    pub(crate) async fn reading(&self) -> &eb::Client {
        if let Some(limits) = &self.limits {
            limits.read().await;
        }
        &self.eb
    }

    /// These clients, requesting this encryption from S3 for every upload to the artifacts bucket.
    #[must_use]
    pub fn encrypting(self, encryption: Option<Encryption>) -> AwsCloud {
        AwsCloud { encryption, ..self }
    }

    /// These clients, authenticating the state in the artifacts bucket with this key.
    #[must_use]
    pub fn authenticating(self, state_key: Option<StateKey>) -> AwsCloud {
        AwsCloud { state_key, ..self }
    }

    /// The encryption that every upload requests from S3.
    #[must_use]
    pub fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// These clients for the checks before a release, each of which runs once: they retry passing
    /// errors for longer.
    #[must_use]
    pub fn patient(&self) -> AwsCloud {
        let config = self.lazy_clients.config();
        let retries = config.retry_config().cloned();
        let retries = retries.unwrap_or_else(RetryConfig::standard);
        let attempts = retries.max_attempts().max(CHECK_ATTEMPTS_MAX);
        let timeouts = config.timeout_config().map(TimeoutConfig::to_builder);
        let timeouts = timeouts.unwrap_or_default();
        let config = config
            .to_builder()
            .retry_config(retries.with_max_attempts(attempts))
            .timeout_config(timeouts.operation_timeout(CHECK_TIME_MAX).build())
            .build();
        AwsCloud {
            time: self.time.clone(),
            encryption: self.encryption.clone(),
            state_key: self.state_key.clone(),
            ..AwsCloud::recorded_by(
                &config,
                self.prober.clone(),
                self.lazy_clients.recorder().clone(),
            )
        }
    }

    /// The clock set by that of AWS, as far as an answer has shown it: one machine writes the
    /// dates, another reads them.
    #[must_use]
    pub fn corrected(&self, clock: Clock) -> Clock {
        let Some((date, read)) = self.time.last() else {
            return clock;
        };
        let theirs = date.after(read.elapsed().mul_f64(clock.speed()));
        let ours = clock.now();
        let apart = theirs.since(ours).max(ours.since(theirs));
        if apart <= CLOCKS_AGREE.mul_f64(clock.speed().max(1.0)) {
            return clock;
        }
        warn!(
            "the clock of this machine is {} {} that of AWS, which is taken instead",
            whole_seconds(apart),
            if ours > theirs { "ahead of" } else { "behind" }
        );
        clock.set_to(theirs)
    }
}
