//! Route 53: REST with XML, API version 2013-04-01.

use crate::time::date;
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::request::ServiceRequest;
use crate::world::World;
use crate::world::due::Happening;
use crate::world::zone::{Change, TYPES, Unfit, Zone, normal, order, reversed};

pub(crate) const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// How long a change of records takes to reach the name servers (API reference,
/// `ChangeResourceRecordSets`: "generally … within 60 seconds").
const SYNC_SECONDS: u64 = 30;

/// How many record sets a page has at most (API reference, `ListResourceRecordSets`).
const RECORDS_MAX: usize = 300;
/// How many hosted zones a page has at most (API reference, `ListHostedZones`).
const ZONES_MAX: usize = 100;

type Answer = Result<Element, ApiError>;

/// The operation of a request, as the API reference names it; empty where it is none
/// of those that are played.
pub(crate) fn operation(method: &str, path: &str) -> &'static str {
    match (method, &segments(path)[..]) {
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["change", _]) => "GetChange",
        _ => "",
    }
}

fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("/2013-04-01/").unwrap_or_default();
    path.trim_end_matches('/').split('/').collect()
}

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 6] = [
    "ChangeResourceRecordSets",
    "GetChange",
    "GetHostedZone",
    "ListHostedZones",
    "ListHostedZonesByName",
    "ListResourceRecordSets",
];

pub(crate) fn answer(world: &mut World, request: &ServiceRequest) -> Answer {
    let id = segments(&request.path).get(1).copied().unwrap_or_default();
    match request.operation.as_str() {
        "ChangeResourceRecordSets" => change_records(world, id, &request.body),
        "ListResourceRecordSets" => list_records(world, id, request),
        "GetHostedZone" => get_zone(world, id),
        "ListHostedZones" => list_zones(world, request),
        "ListHostedZonesByName" => list_zones_by_name(world, request),
        "GetChange" => get_change(world, id),
        _ => Err(ApiError {
            status: 404,
            ..ApiError::new(
                "UnknownOperationException",
                format!(
                    "Could not find operation for {} {}",
                    request.method, request.path
                ),
            )
        }),
    }
}

fn zone(world: &World, id: &str) -> Result<usize, ApiError> {
    let found = world.services.zones.iter().position(|zone| zone.id == id);
    found.ok_or_else(|| ApiError {
        status: 404,
        ..ApiError::new(
            "NoSuchHostedZone",
            format!("No hosted zone found with ID: {id}"),
        )
    })
}

fn change_records(world: &mut World, id: &str, body: &str) -> Answer {
    let at = zone(world, id)?;
    let request = Element::parse(body).ok_or_else(|| invalid("Invalid XML ; not well-formed"))?;
    let batch = request
        .child("ChangeBatch")
        .ok_or_else(|| invalid("Invalid XML ; ChangeBatch is missing"))?;
    let changes = batch.child("Changes").map_or(&[][..], |c| &c.children);
    if changes.is_empty() {
        return Err(invalid(
            "Invalid XML ; Changes must have at least one Change",
        ));
    }
    let zone = &world.services.zones[at];
    let records = zone.changed(changes).map_err(|unfit| match unfit {
        Unfit::Input(why) => invalid(&why),
        Unfit::Batch(messages) => {
            ApiError::new("InvalidChangeBatch", format!("[{}]", messages.join(", ")))
        }
    })?;
    let snapshot = Happening::RecordsServed {
        zone: zone.id.clone(),
        records: records.clone(),
    };
    world.services.zones[at].records = records;
    world.plan(SYNC_SECONDS, snapshot);
    let comment = batch.child("Comment").map(|c| c.text.clone());
    let change = Change {
        id: format!("C{}", world.letters(20).to_ascii_uppercase()),
        submitted: world.now,
        comment,
    };
    let info = change_info(world, &change);
    world.services.changes.push(change);
    Ok(element("ChangeResourceRecordSetsResponse").with(info))
}

fn get_change(world: &World, id: &str) -> Answer {
    let found = world.services.changes.iter().find(|change| change.id == id);
    let change = found.ok_or_else(|| ApiError {
        status: 404,
        ..ApiError::new(
            "NoSuchChange",
            format!("Could not find resource with ID: {id}"),
        )
    })?;
    Ok(element("GetChangeResponse").with(change_info(world, change)))
}

fn change_info(world: &World, change: &Change) -> Element {
    let synced = change.submitted.saturating_add(SYNC_SECONDS * 1000) <= world.now;
    element("ChangeInfo")
        .say("Id", format!("/change/{}", change.id))
        .say("Status", if synced { "INSYNC" } else { "PENDING" })
        .say("SubmittedAt", date(change.submitted))
        .say_some("Comment", change.comment.as_ref())
}

fn list_records(world: &World, id: &str, request: &ServiceRequest) -> Answer {
    let zone = &world.services.zones[zone(world, id)?];
    let size = page_size(request, RECORDS_MAX)?;
    let (kind, identifier) = (request.query("type"), request.query("identifier"));
    let from = match request.query("name") {
        Some(name) => reversed(&normal(name).map_err(|why| invalid(&why))?),
        None if kind.is_some() => {
            return Err(invalid(
                "The input is not valid: type is given without name",
            ));
        }
        None => String::new(),
    };
    if let Some(kind) = kind.filter(|kind| !TYPES.contains(kind)) {
        return Err(invalid(&format!("Invalid type: {kind}")));
    }
    let from = (
        from,
        kind.unwrap_or_default().to_owned(),
        identifier.unwrap_or_default().to_owned(),
    );
    let mut rest = zone.records.iter().filter(|set| order(set) >= from);
    let shown: Vec<Element> = rest.by_ref().take(size).cloned().collect();
    let next = rest.next();
    let list = Element {
        children: shown,
        ..element("ResourceRecordSets")
    };
    let field = |name| next.and_then(|set| set.child(name)).map(|f| &f.text);
    Ok(element("ListResourceRecordSetsResponse")
        .with(list)
        .say("IsTruncated", next.is_some())
        .say("MaxItems", size)
        .say_some("NextRecordName", field("Name"))
        .say_some("NextRecordType", field("Type"))
        .say_some("NextRecordIdentifier", field("SetIdentifier")))
}

fn get_zone(world: &World, id: &str) -> Answer {
    let zone = &world.services.zones[zone(world, id)?];
    let servers = zone
        .records
        .iter()
        .find(|set| set.get("Type") == "NS" && set.get("Name") == zone.name)
        .and_then(|set| set.child("ResourceRecords"))
        .map_or(&[][..], |records| &records.children);
    let servers = servers.iter().fold(element("NameServers"), |list, server| {
        list.say("NameServer", server.get("Value").trim_end_matches('.'))
    });
    Ok(element("GetHostedZoneResponse")
        .with(zone_element(zone))
        .with(element("DelegationSet").with(servers)))
}

fn list_zones(world: &World, request: &ServiceRequest) -> Answer {
    let size = page_size(request, ZONES_MAX)?;
    let marker = request.query("marker");
    let mut rest = world
        .services
        .zones
        .iter()
        .skip_while(|zone| marker.is_some_and(|marker| zone.id != marker));
    let list = rest
        .by_ref()
        .take(size)
        .fold(element("HostedZones"), listed);
    let next = rest.next();
    Ok(element("ListHostedZonesResponse")
        .with(list)
        .say("Marker", marker.unwrap_or_default())
        .say("IsTruncated", next.is_some())
        .say_some("NextMarker", next.map(|zone| &zone.id))
        .say("MaxItems", size))
}

fn list_zones_by_name(world: &World, request: &ServiceRequest) -> Answer {
    let size = page_size(request, ZONES_MAX)?;
    let from = match request.query("dnsname") {
        Some(name) => {
            reversed(&normal(name).map_err(|why| ApiError::new("InvalidDomainName", why))?)
        }
        None => String::new(),
    };
    let from = (
        from,
        request.query("hostedzoneid").unwrap_or_default().to_owned(),
    );
    let key = |zone: &Zone| (reversed(&zone.name), zone.id.clone());
    let mut zones: Vec<&Zone> = world.services.zones.iter().collect();
    zones.sort_by_cached_key(|zone| key(zone));
    let mut rest = zones.into_iter().filter(|zone| key(zone) >= from);
    let list = rest
        .by_ref()
        .take(size)
        .fold(element("HostedZones"), listed);
    let next = rest.next();
    Ok(element("ListHostedZonesByNameResponse")
        .with(list)
        .say_some("DNSName", request.query("dnsname"))
        .say_some("HostedZoneId", request.query("hostedzoneid"))
        .say("IsTruncated", next.is_some())
        .say_some("NextDNSName", next.map(|zone| &zone.name))
        .say_some("NextHostedZoneId", next.map(|zone| &zone.id))
        .say("MaxItems", size))
}

fn listed(list: Element, zone: &Zone) -> Element {
    list.with(zone_element(zone))
}

fn zone_element(zone: &Zone) -> Element {
    element("HostedZone")
        .say("Id", format!("/hostedzone/{}", zone.id))
        .say("Name", &zone.name)
        .say("CallerReference", "sandbox")
        .with(element("Config").say("PrivateZone", false))
        .say("ResourceRecordSetCount", zone.records.len())
}

fn page_size(request: &ServiceRequest, most: usize) -> Result<usize, ApiError> {
    let Some(text) = request.query("maxitems") else {
        return Ok(most);
    };
    let size = text.parse::<usize>().ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| invalid(&format!("Invalid maxitems: {text}")))?;
    Ok(size.min(most))
}

fn invalid(why: &str) -> ApiError {
    ApiError::new("InvalidInput", why)
}
