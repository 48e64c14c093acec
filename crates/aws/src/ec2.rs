//! EC2, of which a release reads security groups and Elastic IP addresses by the Query protocol.

use super::failure::{PAGES_MAX, endless, look_error};
use super::lazy_clients::LazyClients;
use super::query::{Query, texts, unreadable, values};
use super::signed::Service;
use crate::cloud::LookError;
use bluegreen_core::plan::SecurityGroup;

/// The most that one answer lists (API reference, `DescribeSecurityGroups`: 5 to 1000).
const PAGE_MAX: &str = "1000";

/// A page of security groups, or one error.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    groups: Vec<SecurityGroup>,
    next: Option<String>,
}

const EC2: Query = Query {
    service: Service {
        id: "EC2",
        name: "ec2",
        gov_is_fips: true,
    },
    version: "2016-11-15",
};

/// Requests an operation with these fields and reads its answer.
async fn read<T>(
    clients: &LazyClients,
    operation: &'static str,
    fields: &[(&str, &str)],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, LookError> {
    let answer = EC2.ask(clients, operation, fields, parse).await;
    let answer = answer.map_err(|error| look_error(operation, &error))?;
    answer.ok_or_else(|| unreadable(operation))
}

/// The security groups that a filter leaves, as in `ip-permission.group-id`.
///
/// # Errors
/// [`LookError`].
pub(super) async fn security_groups(
    clients: &LazyClients,
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

/// The Elastic IP addresses of the account in its region, and how many it may have at most; `None`
/// where the service does not say.
///
/// # Errors
/// [`LookError`].
pub(super) async fn elastic_addresses(
    clients: &LazyClients,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use bluegreen_testing::garbled::garbled_text;

    const GROUPS: &str = "<DescribeSecurityGroupsResponse><requestId>r</requestId>\
        <securityGroupInfo><item><groupId>sg-1</groupId><groupName>a&amp;b</groupName></item>\
        </securityGroupInfo><nextToken>t</nextToken></DescribeSecurityGroupsResponse>";

    proptest! {
        #[test]
        fn a_garbled_answer_is_read_or_none(document in garbled_text(GROUPS)) {
            let _ = (page(&document), values(&document, "DescribeSecurityGroupsResponse", "/x"));
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
}
