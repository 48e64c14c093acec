//! Error answers of S3 (API reference, "Error responses").

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::objects::request::target;

/// The end of the body of an error.
const END: &str = "</Error>";

/// The conditions that a request may state, in the order in which they count.
const CONDITIONS: [&str; 8] = [
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "If-Modified-Since",
    "x-amz-copy-source-If-Match",
    "x-amz-copy-source-If-None-Match",
    "x-amz-copy-source-If-Unmodified-Since",
    "x-amz-copy-source-If-Modified-Since",
];

/// An error answer.
pub(crate) fn failure(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    detailed(status, code, message, &[])
}

/// An error answer with further elements.
pub(crate) fn detailed(
    status: StatusCode,
    code: &str,
    message: &str,
    details: &[(&str, &str)],
) -> Response<Bytes> {
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    let named = [("Code", code), ("Message", message)];
    for (name, text) in named.iter().chain(details) {
        let text = quick_xml::escape::partial_escape(*text);
        body.push_str(&format!("<{name}>{text}</{name}>"));
    }
    body.push_str("</Error>");
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}

/// What a request is about, which its error answer states.
pub(crate) struct Subject {
    method: Method,
    bucket: String,
    key: String,
    path: String,
    query: String,
    condition: Option<&'static str>,
}

impl Subject {
    /// The subject of a request.
    pub fn of<B>(request: &Request<B>) -> Subject {
        let (bucket, key) = target(request);
        let headers = request.headers();
        let mut conditions = CONDITIONS.into_iter();
        Subject {
            method: request.method().clone(),
            bucket,
            key,
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            condition: conditions.find(|name| headers.contains_key(name.to_ascii_lowercase())),
        }
    }

    fn field(&self, name: &str) -> String {
        let mut fields = form_urlencoded::parse(self.query.as_bytes());
        let found = fields.find(|(field, _)| field == name);
        found.map_or_else(String::new, |(_, value)| value.into_owned())
    }

    /// An answer as S3 gives it: an error with its message and its subject, and without a body
    /// where HTTP has none.
    pub fn complete(&self, answer: Response<Bytes>) -> Response<Bytes> {
        let status = answer.status();
        if status == StatusCode::NOT_MODIFIED {
            return bare(answer);
        }
        if !status.is_client_error() && !status.is_server_error() {
            return answer;
        }
        if self.method == Method::HEAD {
            return bare(answer);
        }
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        let Some(code) = element(&body, "Code") else {
            return answer;
        };
        let stated = element(&body, "Message").filter(|message| !message.is_empty());
        let message = stated.or_else(|| message(&code).map(str::to_owned));
        let details = self.details(&code);
        let details: Vec<_> = details
            .iter()
            .map(|(name, text)| (*name, &**text))
            .collect();
        let mut completed = detailed(status, &code, &message.unwrap_or_default(), &details);
        let more = body
            .strip_suffix(END)
            .and_then(|body| body.split_once("</Message>"));
        if let Some((_, more)) = more
            && let Some(kept) = completed.body().strip_suffix(END.as_bytes())
        {
            let body = [kept, more.as_bytes(), END.as_bytes()].concat();
            *completed.body_mut() = body.into();
        }
        for (name, value) in answer.headers() {
            if ![CONTENT_TYPE, CONTENT_LENGTH].contains(name) {
                completed.headers_mut().insert(name, value.clone());
            }
        }
        completed
    }

    fn details(&self, code: &str) -> Vec<(&'static str, String)> {
        let key = || ("Key", self.key.clone());
        match code {
            "NoSuchKey" => vec![key()],
            "NoSuchVersion" => vec![key(), ("VersionId", self.field("versionId"))],
            "NoSuchUpload" => vec![("UploadId", self.field("uploadId"))],
            "PreconditionFailed" => {
                let condition = self.condition.map(|name| ("Condition", name.to_owned()));
                condition.into_iter().collect()
            }
            "MethodNotAllowed" => vec![
                ("Method", self.method.to_string()),
                ("ResourceType", "DeleteMarker".to_owned()),
            ],
            "AccessDenied" => Vec::new(),
            _ if self.key.is_empty() && !self.bucket.is_empty() => {
                vec![("BucketName", self.bucket.clone())]
            }
            "NoSuchBucket" => vec![("BucketName", self.bucket.clone())],
            _ => vec![("Resource", self.path.clone())],
        }
    }
}

/// An answer without a body.
fn bare(mut answer: Response<Bytes>) -> Response<Bytes> {
    answer.body_mut().clear();
    answer.headers_mut().remove(CONTENT_TYPE);
    answer.headers_mut().remove(CONTENT_LENGTH);
    answer
}

/// The text of the first element with a name.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(quick_xml::escape::unescape(text).ok()?.into_owned())
}

/// What S3 says with a code (API reference, "List of error codes").
fn message(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" => "Access Denied",
        "BucketAlreadyOwnedByYou" => {
            "Your previous request to create the named bucket succeeded and you already own it."
        }
        "IllegalVersioningConfigurationException" => "The Versioning element must be specified",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidRequest" => "Invalid Request",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        }
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "NoSuchBucket" => "The specified bucket does not exist",
        "NoSuchKey" => "The specified key does not exist.",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "ServerSideEncryptionConfigurationNotFoundError" => {
            "The server side encryption configuration was not found"
        }
        _ => return None,
    })
}

/// An answer with the ids of its request: in headers, and in the body of an error (S3 user guide,
/// "Getting Amazon S3 request IDs").
pub(crate) fn identified(mut answer: Response<Bytes>, number: u64) -> Response<Bytes> {
    let id = format!("{number:016X}");
    let host_id = base64_simd::STANDARD.encode_to_string(id.repeat(3));
    for (name, value) in [("x-amz-request-id", &id), ("x-amz-id-2", &host_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            answer.headers_mut().insert(name, value);
        }
    }
    let end = END.as_bytes();
    if let Some(error) = answer
        .body()
        .strip_suffix(end)
        .filter(|_| !answer.status().is_success())
    {
        let ids = format!("<RequestId>{id}</RequestId><HostId>{host_id}</HostId>");
        let body = [error, ids.as_bytes(), end].concat();
        answer.headers_mut().remove(CONTENT_LENGTH);
        *answer.body_mut() = Bytes::from(body);
    }
    answer
}
