//! A request to a service of which a release needs one operation, and whose client in the SDK
//! takes minutes to build (docs/decisions/0022): the SDK's runtime with that request, which is
//! signed, sent, retried and timed out as every other.

use std::error::Error;
use std::fmt;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_elasticbeanstalk::config::http::{HttpRequest, HttpResponse};
use aws_sdk_elasticbeanstalk::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use aws_types::service_config::ServiceConfigKey;

use super::lazy_clients::LazyClients;
use super::origin::{AgainWhereForeign, OnlyAws};

/// A service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// Its name in the SDK's settings, in `AWS_ENDPOINT_URL_…`.
    pub id: &'static str,
    /// Its name in its endpoint and its signatures.
    pub name: &'static str,
    /// Whether its endpoints of GovCloud are FIPS endpoints under their plain names (the rules of
    /// its endpoints in botocore, `endpoint-rule-set-1.json`).
    pub gov_is_fips: bool,
}

/// A request to sign.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub service: Service,
    pub operation: &'static str,
    pub content_type: &'static str,
    /// The header `x-amz-target` of the JSON protocols.
    pub target: Option<String>,
    /// How to distinguish an answer of the service from a page in its place.
    pub only: OnlyAws,
    pub body: String,
}

/// An error that the service returned.
#[derive(Debug)]
pub(super) struct Told(ErrorMetadata);

impl Told {
    pub fn error(code: Option<String>, message: String) -> OrchestratorError<Told> {
        let mut told = ErrorMetadata::builder().message(message);
        if let Some(code) = code {
            told = told.code(code);
        }
        OrchestratorError::operation(Told(told.build()))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Told {}

impl ProvideErrorMetadata for Told {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl Signed {
    /// Sends it; `answer` reads the response.
    pub async fn ask<T>(
        self,
        clients: &LazyClients,
        answer: fn(&HttpResponse) -> Result<T, OrchestratorError<Told>>,
    ) -> Result<T, SdkError<Told, HttpResponse>>
    where
        T: fmt::Debug + Send + Sync + 'static,
    {
        let config = clients.config();
        let region = config
            .region()
            .cloned()
            .unwrap_or(Region::from_static("us-east-1"));
        let mut builder = Operation::builder()
            .service_name(self.service.id)
            .operation_name(self.operation)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint(self.service, config, region.as_ref()))
            .runtime_plugin(signing(self.service, config, region))
            .interceptor(clients.recorder().clone())
            .interceptor(clients.repeated().clone())
            .interceptor(self.only)
            .retry_classifier(TransientErrorClassifier::<Told>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Told>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(AgainWhereForeign);
        if let Some(retries) = config.retry_config() {
            builder = builder.standard_retry(retries);
        }
        if let Some(timeouts) = config.timeout_config() {
            builder = builder.timeout_config(timeouts.clone());
        }
        if let Some(client) = config.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            builder = builder.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            builder = builder.time_source(time);
        }
        let operation = builder.serializer(request).deserializer(answer).build();
        operation.invoke(self).await
    }
}

fn request(signed: Signed) -> Result<HttpRequest, Box<dyn Error + Send + Sync>> {
    let length = signed.body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(signed.body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", signed.content_type);
    headers.insert("content-length", length);
    if let Some(target) = signed.target {
        headers.insert("x-amz-target", target);
    }
    Ok(request)
}

/// Signs with the configuration's own credentials, for the service in this region.
fn signing(service: Service, config: &SdkConfig, region: Region) -> StaticRuntimePlugin {
    let mut layer = Layer::new(service.id);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(region)),
        name: Some(SigningName::from_static(service.name)),
        ..SigV4OperationSigningConfig::default()
    });
    let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
    let mut components = RuntimeComponentsBuilder::new(service.id)
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(schemes)));
    if let Some(credentials) = config.credentials_provider() {
        let resolver = SharedIdentityResolver::new(credentials);
        components = components.with_identity_resolver(SCHEME_ID, resolver);
    }
    if let Some(cache) = config.identity_cache() {
        components = components.with_identity_cache(Some(cache));
    }
    StaticRuntimePlugin::new()
        .with_config(layer.freeze())
        .with_runtime_components(components)
}

/// The endpoint that the program has set, as for a sandbox; else `AWS_ENDPOINT_URL_…` of the
/// service, the configuration's own, or the region's (General Reference, "Service endpoints and
/// quotas"): the order of the SDK's own clients.
fn endpoint(service: Service, config: &SdkConfig, region: &str) -> String {
    let set = config.endpoint_url().map(str::to_owned);
    if let (true, Some(set)) = (
        config.get_origin("endpoint_url").is_client_config(),
        set.clone(),
    ) {
        return set;
    }
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = key
        .ok()
        .and_then(|key| config.service_config()?.load_config(key));
    let own = of_service.or(set);
    let wanted = Wanted {
        fips: config.use_fips().unwrap_or(false),
        dual_stack: config.use_dual_stack().unwrap_or(false),
    };
    own.unwrap_or_else(|| regional(service, region, wanted))
}

/// Which of a region's endpoints is wanted.
#[derive(Clone, Copy, Default)]
struct Wanted {
    /// One whose cryptography is validated.
    fips: bool,
    /// One that is reached over IPv6 too.
    dual_stack: bool,
}

fn regional(service: Service, region: &str, wanted: Wanted) -> String {
    let (suffix, dual_stack_suffix) = match region.split('-').next().unwrap_or_default() {
        "cn" => ("amazonaws.com.cn", Some("api.amazonwebservices.com.cn")),
        "eusc" => ("amazonaws.eu", Some("api.amazonwebservices.eu")),
        _ if region.starts_with("us-iso-") => ("c2s.ic.gov", None),
        _ if region.starts_with("us-isob-") => ("sc2s.sgov.gov", None),
        _ if region.starts_with("eu-isoe-") => ("cloud.adc-e.uk", None),
        _ if region.starts_with("us-isof-") => ("csp.hci.ic.gov", None),
        _ => ("amazonaws.com", Some("api.aws")),
    };
    let dual_stack_suffix = dual_stack_suffix.filter(|_| wanted.dual_stack);
    let is_fips_anyway =
        service.gov_is_fips && region.starts_with("us-gov-") && dual_stack_suffix.is_none();
    let fips = match wanted.fips && !is_fips_anyway {
        true => "-fips",
        false => "",
    };
    let suffix = dual_stack_suffix.unwrap_or(suffix);
    format!("https://{}{fips}.{region}.{suffix}", service.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the SDK's own clients choose them: the cases of their endpoint rules.
    #[test]
    fn the_endpoint_is_the_regions() {
        let service = |name, gov_is_fips| Service {
            id: "Any",
            name,
            gov_is_fips,
        };
        let (ec2, waf) = (service("ec2", true), service("wafv2", false));
        for (service, region, fips, dual_stack, host) in [
            (
                ec2,
                "eu-central-1",
                false,
                false,
                "ec2.eu-central-1.amazonaws.com",
            ),
            (
                ec2,
                "us-east-1",
                true,
                false,
                "ec2-fips.us-east-1.amazonaws.com",
            ),
            (ec2, "us-east-1", false, true, "ec2.us-east-1.api.aws"),
            (
                ec2,
                "us-gov-west-1",
                true,
                false,
                "ec2.us-gov-west-1.amazonaws.com",
            ),
            (
                ec2,
                "us-gov-east-1",
                true,
                true,
                "ec2-fips.us-gov-east-1.api.aws",
            ),
            (
                waf,
                "us-gov-west-1",
                true,
                false,
                "wafv2-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                ec2,
                "cn-north-1",
                false,
                false,
                "ec2.cn-north-1.amazonaws.com.cn",
            ),
            (
                ec2,
                "cn-north-1",
                true,
                true,
                "ec2-fips.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                ec2,
                "us-iso-east-1",
                false,
                false,
                "ec2.us-iso-east-1.c2s.ic.gov",
            ),
            (
                ec2,
                "us-iso-east-1",
                true,
                false,
                "ec2-fips.us-iso-east-1.c2s.ic.gov",
            ),
        ] {
            let wanted = Wanted { fips, dual_stack };
            assert_eq!(regional(service, region, wanted), format!("https://{host}"));
        }
    }
}
