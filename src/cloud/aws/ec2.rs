//! EC2, of which a release reads security groups and Elastic IP addresses. The SDK's client for
//! it takes minutes to build (docs/decisions/0030); this is its runtime with requests of the
//! Query protocol, version 2016-11-15: signed, sent, retried and timed out as every other.

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
use quick_xml::Reader;
use quick_xml::events::Event;

use super::failure::look_error;
use super::seldom::Seldom;
use crate::cloud::LookError;
use crate::plan::SecurityGroup;

/// The most that one answer tells (API reference, `DescribeSecurityGroups`: 5 to 1000).
const PAGE_MAX: &str = "1000";

/// A page of security groups, or one error.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    groups: Vec<SecurityGroup>,
    next: Option<String>,
}

/// An error that EC2 has told.
#[derive(Debug)]
struct Told(ErrorMetadata);

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

/// The security groups that a filter leaves, as in `ip-permission.group-id`.
///
/// # Errors
/// [`LookError`].
pub(super) async fn security_groups(
    clients: &Seldom,
    filter: &str,
    value: &str,
) -> Result<Vec<SecurityGroup>, LookError> {
    let mut groups = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let mut fields = vec![
            ("MaxResults", PAGE_MAX),
            ("Filter.1.Name", filter),
            ("Filter.1.Value.1", value),
        ];
        fields.extend(next.as_deref().map(|token| ("NextToken", token)));
        let page = read(clients, "DescribeSecurityGroups", &fields, page).await?;
        groups.extend(page.groups);
        next = page.next.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(groups);
        }
    }
}

/// The Elastic IP addresses of the account in its region, and how many it may have at most; none
/// where that is not told.
///
/// # Errors
/// [`LookError`].
pub(super) async fn elastic_addresses(
    clients: &Seldom,
) -> Result<(Vec<String>, Option<u32>), LookError> {
    let allocated = read(clients, "DescribeAddresses", &[], |document| {
        values(
            document,
            "DescribeAddressesResponse",
            "/addressesSet/item/publicIp",
        )
    });
    let attribute = [("AttributeName.1", "vpc-max-elastic-ips")];
    let most = read(
        clients,
        "DescribeAccountAttributes",
        &attribute,
        |document| {
            let value = "/accountAttributeSet/item/attributeValueSet/item/attributeValue";
            values(document, "DescribeAccountAttributesResponse", value)
        },
    );
    let (allocated, most) = (allocated.await?, most.await?);
    Ok((allocated, most.first().and_then(|most| most.parse().ok())))
}

/// Asks an operation with these fields and reads its answer.
async fn read<T>(
    clients: &Seldom,
    operation: &'static str,
    fields: &[(&str, &str)],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, LookError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", operation)
        .append_pair("Version", "2016-11-15")
        .extend_pairs(fields);
    let asked = ask(clients, operation, form.finish()).await;
    let document = asked.map_err(|error| look_error(operation, &error))?;
    let unreadable = || LookError::Passing(format!("{operation}: the answer is not readable"));
    parse(&document).ok_or_else(unreadable)
}

async fn ask(
    clients: &Seldom,
    operation: &'static str,
    body: String,
) -> Result<String, SdkError<Told, HttpResponse>> {
    let config = clients.config();
    let region = config
        .region()
        .cloned()
        .unwrap_or(Region::from_static("us-east-1"));
    let mut builder = Operation::builder()
        .service_name("EC2")
        .operation_name(operation)
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&endpoint(config, region.as_ref()))
        .runtime_plugin(signing(config, region))
        .interceptor(clients.recorder().clone())
        .retry_classifier(TransientErrorClassifier::<Told>::new())
        .retry_classifier(AwsErrorCodeClassifier::<Told>::new())
        .retry_classifier(HttpStatusCodeClassifier::default());
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
    operation.invoke(body).await
}

fn request(body: String) -> Result<HttpRequest, Box<dyn Error + Send + Sync>> {
    let length = body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded");
    headers.insert("content-length", length);
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<String, OrchestratorError<Told>> {
    let body = response.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    if response.status().is_success() {
        return Ok(body.into_owned());
    }
    let (code, message) = error(&body);
    let mut told = ErrorMetadata::builder().message(message);
    if let Some(code) = code {
        told = told.code(code);
    }
    Err(OrchestratorError::operation(Told(told.build())))
}

/// With the configuration's own credentials, for EC2 in this region.
fn signing(config: &SdkConfig, region: Region) -> StaticRuntimePlugin {
    let mut layer = Layer::new("EC2");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(region)),
        name: Some(SigningName::from_static("ec2")),
        ..SigV4OperationSigningConfig::default()
    });
    let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
    let mut components = RuntimeComponentsBuilder::new("EC2")
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

/// `AWS_ENDPOINT_URL_EC2`, the configuration's own, or the region's (General Reference,
/// "Amazon EC2 endpoints and quotas").
fn endpoint(config: &SdkConfig, region: &str) -> String {
    let key = ServiceConfigKey::builder()
        .service_id("EC2")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = key
        .ok()
        .and_then(|key| config.service_config()?.load_config(key));
    let own = of_service.or_else(|| config.endpoint_url().map(str::to_owned));
    let fips = config.use_fips().unwrap_or(false);
    own.unwrap_or_else(|| regional(region, fips))
}

fn regional(region: &str, fips: bool) -> String {
    let suffix = match region.split('-').next().unwrap_or_default() {
        "cn" => "amazonaws.com.cn",
        "eusc" => "amazonaws.eu",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ if region.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        _ if region.starts_with("us-isof-") => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    };
    let service = if fips { "ec2-fips" } else { "ec2" };
    format!("https://{service}.{region}.{suffix}")
}

/// Every text of a document, with the names that lead to it.
fn texts(document: &str) -> Option<Vec<(String, String)>> {
    let mut reader = Reader::from_str(document);
    let (mut path, mut text, mut texts) = (Vec::new(), String::new(), Vec::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = start.local_name();
                path.push(String::from_utf8_lossy(name.as_ref()).into_owned());
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.decode().ok()?),
            Event::CData(part) => text.push_str(&part.decode().ok()?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(c) => text.push(c),
                None => text.push_str(quick_xml::escape::resolve_predefined_entity(
                    &reference.decode().ok()?,
                )?),
            },
            Event::End(_) => {
                texts.push((path.join("/"), std::mem::take(&mut text)));
                path.pop();
            }
            Event::Eof if path.is_empty() => return Some(texts),
            Event::Eof => return None,
            Event::Empty(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::Comment(_)
            | Event::DocType(_) => {}
        }
    }
}

/// Every text at a path below an answer's root.
fn values(document: &str, root: &str, path: &str) -> Option<Vec<String>> {
    let texts = texts(document)?;
    let is_answer = texts.iter().any(|(at, _)| at == root);
    let wanted = format!("{root}{path}");
    let found = texts.into_iter().filter(|(at, _)| *at == wanted);
    let found = found.map(|(_, text)| text).collect();
    is_answer.then_some(found)
}

fn page(document: &str) -> Option<Page> {
    const ANSWER: &str = "DescribeSecurityGroupsResponse";
    let mut page = Page::default();
    let mut group = SecurityGroup::default();
    let mut is_answer = false;
    for (path, text) in texts(document)? {
        match path.strip_prefix(ANSWER)? {
            "" => is_answer = true,
            "/nextToken" => page.next = Some(text),
            "/securityGroupInfo/item/groupId" => group.id = text,
            "/securityGroupInfo/item/groupName" => group.name = text,
            "/securityGroupInfo/item" => page.groups.push(std::mem::take(&mut group)),
            _ => {}
        }
    }
    is_answer.then_some(page)
}

/// The code and the message of an error.
fn error(document: &str) -> (Option<String>, String) {
    let texts = texts(document).unwrap_or_default();
    let find = |name: &str| {
        let found = texts.iter().find(|(path, _)| path == name);
        found.map(|(_, text)| text.clone())
    };
    (
        find("Response/Errors/Error/Code"),
        find("Response/Errors/Error/Message").unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the API reference shows it (`DescribeSecurityGroups`, "Examples").
    #[test]
    fn groups_and_the_next_page_are_read() {
        let document = "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
            <requestId>59dbff89</requestId><securityGroupInfo>\
            <item><ownerId>111122223333</ownerId><groupId>sg-1a2b3c4d</groupId>\
            <groupName>a&amp;b</groupName><ipPermissions><item><groups><item>\
            <groupId>sg-other</groupId></item></groups></item></ipPermissions></item>\
            <item><groupId>sg-2</groupId><groupName>two</groupName><ipPermissions/></item>\
            </securityGroupInfo><nextToken>t</nextToken></DescribeSecurityGroupsResponse>";
        let group = |id: &str, name: &str| SecurityGroup {
            id: id.to_owned(),
            name: name.to_owned(),
        };
        assert_eq!(
            page(document),
            Some(Page {
                groups: vec![group("sg-1a2b3c4d", "a&b"), group("sg-2", "two")],
                next: Some("t".to_owned()),
            })
        );
        for other in [
            "",
            "<a>",
            "<a></a>",
            "{}",
            "<DescribeSecurityGroupsResponse>",
        ] {
            assert_eq!(page(other), None, "{other}");
        }
    }

    /// As the API reference shows them (`DescribeAddresses` and `DescribeAccountAttributes`).
    #[test]
    fn addresses_and_how_many_there_may_be_are_read() {
        let addresses = "<DescribeAddressesResponse><requestId>r</requestId><addressesSet><item>\
            <publicIp>203.0.113.41</publicIp><domain>vpc</domain></item><item>\
            <publicIp>203.0.113.42</publicIp></item></addressesSet></DescribeAddressesResponse>";
        let root = "DescribeAddressesResponse";
        let read = |document| values(document, root, "/addressesSet/item/publicIp");
        let both = ["203.0.113.41", "203.0.113.42"].map(str::to_owned);
        assert_eq!(read(addresses), Some(both.to_vec()));
        let none = "<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>";
        assert_eq!(read(none), Some(Vec::new()));
        for other in ["", "{}", "<a></a>", "<DescribeAddressesResponse>"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn errors_are_read() {
        let document = "<Response><Errors><Error><Code>UnauthorizedOperation</Code>\
            <Message>You are not authorized</Message></Error></Errors><RequestID>r</RequestID></Response>";
        let told = (
            Some("UnauthorizedOperation".to_owned()),
            "You are not authorized".to_owned(),
        );
        assert_eq!(error(document), told);
        assert_eq!(error("<html>"), (None, String::new()));
    }

    #[test]
    fn the_endpoint_is_the_regions() {
        for (region, fips, url) in [
            (
                "eu-central-1",
                false,
                "https://ec2.eu-central-1.amazonaws.com",
            ),
            (
                "us-gov-west-1",
                true,
                "https://ec2-fips.us-gov-west-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                "https://ec2.cn-north-1.amazonaws.com.cn",
            ),
            (
                "us-iso-east-1",
                false,
                "https://ec2.us-iso-east-1.c2s.ic.gov",
            ),
        ] {
            assert_eq!(regional(region, fips), url);
        }
    }
}
