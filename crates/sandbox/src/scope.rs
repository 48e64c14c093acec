//! The service and the region that a request is for.

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::host::host;
use crate::wire::form::Form;

/// The service that a request is for, by its name in signatures: from the scope of its signature
/// (Signature Version 4, "Credential scope"), else from the target that it names, else from the
/// host, else from the version of the API. `None` where nothing tells.
pub(crate) fn service_of(request: &Request<Bytes>) -> Option<String> {
    signed_for(request)
        .or_else(|| targeted(request))
        .or_else(|| addressed(request))
        .or_else(|| {
            let form = form_of(request);
            form.get("Version").and_then(of_version).map(str::to_owned)
        })
}

/// The parameters of a request of the Query protocol, in its body or in its URL; none where it is
/// of another protocol.
pub(crate) fn form_of(request: &Request<Bytes>) -> Form {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.starts_with("application/x-www-form-urlencoded") {
        true => Form::parse(request.body()),
        false => Form::parse(request.uri().query().unwrap_or_default().as_bytes()),
    }
}

/// The region that a request to a service of one region is signed for. Buckets have regions of
/// their own, and the global services are signed for one that is not the caller's.
pub(crate) fn region_of<B>(request: &Request<B>) -> Option<String> {
    let (region, service) = scope(request)?;
    let is_global = matches!(
        service.as_str(),
        "cloudfront" | "iam" | "route53" | "s3" | "sts"
    );
    (!is_global && !region.is_empty()).then_some(region)
}

fn signed_for<B>(request: &Request<B>) -> Option<String> {
    scope(request).map(|(_, service)| service)
}

/// The region and the service that a request is signed for. `None` where the service is only the
/// beginning of the host that the request was sent to: boto takes both from there (`boto/auth.py`,
/// `HmacAuthV4Handler`), and a sandbox's host tells neither.
fn scope<B>(request: &Request<B>) -> Option<(String, String)> {
    let credential = credential(request)?;
    let mut parts = credential.strip_suffix("/aws4_request")?.rsplit('/');
    let service = parts.next()?.to_owned();
    let region = parts.next().unwrap_or_default().to_owned();
    let host = host(request);
    let is_of_aws = host.ends_with(".amazonaws.com");
    let is_of_host = host.split('.').next() == Some(&service);
    (is_of_aws || !is_of_host).then_some((region, service))
}

/// The credential of a signature: access key, date, region, service and `aws4_request`, in the
/// header or, where the URL was signed, in the query.
fn credential<B>(request: &Request<B>) -> Option<String> {
    let header = request.headers().get(AUTHORIZATION);
    let header = header.and_then(|header| header.to_str().ok());
    let signed = header.and_then(|header| header.split_once("Credential="));
    if let Some((_, credential)) = signed {
        return credential.split(',').next().map(str::to_owned);
    }
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    query.get("X-Amz-Credential").map(str::to_owned)
}

/// The service whose target a request of the JSON protocols names (botocore's models,
/// `targetPrefix`); one that has another prefix is named by that.
fn targeted<B>(request: &Request<B>) -> Option<String> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    let (prefix, _) = target.rsplit_once('.')?;
    Some(match prefix {
        "AmazonSSM" => "ssm".to_owned(),
        "AmazonSQS" => "sqs".to_owned(),
        "AWSWAF_20190729" => "wafv2".to_owned(),
        "AWSEvents" => "events".to_owned(),
        "GraniteServiceVersion20100801" => "monitoring".to_owned(),
        "ServiceQuotasV20190624" => "servicequotas".to_owned(),
        other => other.to_owned(),
    })
}

/// The service whose endpoint a host is, as in `sns.us-east-1.amazonaws.com`. A bucket may have
/// any name, so only the first label before a region counts.
fn addressed<B>(request: &Request<B>) -> Option<String> {
    let host = host(request);
    let labels: Vec<&str> = host.strip_suffix(".amazonaws.com")?.split('.').collect();
    match labels[..] {
        [service] | [service, _] if !labels.iter().any(|label| label.starts_with("s3")) => {
            Some(service.to_owned())
        }
        _ => None,
    }
}

/// The service of a version of the Query API (botocore's models, `apiVersion`). SES has that of
/// Elastic Beanstalk.
fn of_version(version: &str) -> Option<&'static str> {
    Some(match version {
        "2010-03-31" => "sns",
        "2010-05-08" => "iam",
        "2010-05-15" => "cloudformation",
        "2010-08-01" => "monitoring",
        "2010-12-01" => "elasticbeanstalk",
        "2011-01-01" => "autoscaling",
        "2011-06-15" => "sts",
        "2012-06-01" | "2015-12-01" => "elasticloadbalancing",
        "2012-11-05" => "sqs",
        "2014-10-31" => "rds",
        "2015-02-02" => "elasticache",
        "2016-11-15" => "ec2",
        _ => return None,
    })
}
