//! EC2, of which a release reads security groups and Elastic IP addresses by the Query protocol,
//! version 2016-11-15.

use aws_sdk_elasticbeanstalk::config::http::HttpResponse;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::failure::{PAGES_MAX, endless, look_error};
use super::origin::OnlyAws;
use super::seldom::Seldom;
use super::signed::{Service, Signed, Told};
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

const SERVICE: Service = Service {
    id: "EC2",
    name: "ec2",
};

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
    for _ in 0..PAGES_MAX {
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
    Err(endless("DescribeSecurityGroups"))
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
    let signed = Signed {
        service: SERVICE,
        operation,
        content_type: "application/x-www-form-urlencoded",
        target: None,
        only: OnlyAws::Xml,
        body: form.finish(),
    };
    let asked = signed.ask(clients, answer).await;
    let document = asked.map_err(|error| look_error(operation, &error))?;
    let unreadable = || LookError::Passing(format!("{operation}: the answer is not readable"));
    parse(&document).ok_or_else(unreadable)
}

fn answer(response: &HttpResponse) -> Result<String, OrchestratorError<Told>> {
    let body = response.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    if response.status().is_success() {
        return Ok(body.into_owned());
    }
    let (code, message) = error(&body);
    Err(Told::error(code, message))
}

/// How deep an answer may be: those of EC2 have some ten elements in each other.
const DEPTH_MAX: usize = 64;

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
                if path.len() > DEPTH_MAX {
                    return None;
                }
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
    use proptest::prelude::*;

    use super::*;
    use bluegreen_testing::garbled::garbled_text;

    const GROUPS: &str = "<DescribeSecurityGroupsResponse><requestId>r</requestId>\
        <securityGroupInfo><item><groupId>sg-1</groupId><groupName>a&amp;b</groupName></item>\
        </securityGroupInfo><nextToken>t</nextToken></DescribeSecurityGroupsResponse>";

    const REFUSAL: &str = "<Response><Errors><Error><Code>Throttling</Code><Message>slow down\
        </Message></Error></Errors><RequestID>r</RequestID></Response>";

    #[test]
    fn what_is_deep_is_no_answer() {
        let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
        assert_eq!(texts(&deep), None);
    }

    proptest! {
        #[test]
        fn a_garbled_answer_is_read_or_none(document in garbled_text(GROUPS)) {
            let _ = (page(&document), values(&document, "DescribeSecurityGroupsResponse", "/x"));
        }

        #[test]
        fn a_garbled_refusal_is_read_or_none(document in garbled_text(REFUSAL)) {
            let _ = error(&document);
        }
    }

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
}
