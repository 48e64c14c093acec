//! DescribeVpcs, DescribeSubnets, DescribeAvailabilityZones and DescribeKeyPairs.

use crate::services::ec2::filters::{Filters, check_all, numbered};
use crate::wire::element::{Element, element};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;

pub(crate) fn describe_vpcs(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = Filters::read(form, &["vpc-id", "isDefault", "is-default", "state"])?;
    let (all, wanted) = (world.vpcs(), numbered(form, "VpcId"));
    check_all(&wanted, &all, "InvalidVpcID.NotFound", |id| {
        format!("The vpc ID '{id}' does not exist")
    })?;
    let is_default = |id: &str| id == world.default_vpc();
    let found = all.into_iter().filter(|id| {
        let is_wanted = wanted.is_empty() || wanted.contains(id);
        is_wanted
            && filters.fit(|name| match name {
                "vpc-id" => vec![(*id).to_owned()],
                "state" => vec!["available".to_owned()],
                _ => vec![is_default(id).to_string()],
            })
    });
    let told = found.fold(element("vpcSet"), |set, id| {
        set.with(
            element("item")
                .say("vpcId", id)
                .say("ownerId", &world.account)
                .say("state", "available")
                .say("cidrBlock", "172.31.0.0/16")
                .say("isDefault", is_default(id)),
        )
    });
    Ok(element("DescribeVpcsResult").with(told))
}

pub(crate) fn describe_subnets(world: &World, form: &Form) -> Result<Element, ApiError> {
    let known = [
        "vpc-id",
        "subnet-id",
        "availability-zone",
        "availabilityZone",
        "default-for-az",
        "defaultForAz",
    ];
    let filters = Filters::read(form, &known)?;
    let (all, wanted) = (world.subnets(), numbered(form, "SubnetId"));
    let ids: Vec<&str> = all.iter().map(|subnet| subnet.id.as_str()).collect();
    check_all(&wanted, &ids, "InvalidSubnetID.NotFound", |id| {
        format!("The subnet ID '{id}' does not exist")
    })?;
    let found = all.iter().enumerate().filter(|(_, subnet)| {
        let is_wanted = wanted.is_empty() || wanted.contains(&subnet.id.as_str());
        is_wanted
            && filters.fit(|name| match name {
                "vpc-id" => vec![subnet.vpc.clone()],
                "subnet-id" => vec![subnet.id.clone()],
                "availability-zone" | "availabilityZone" => vec![subnet.zone.clone()],
                _ => vec![(subnet.vpc == world.default_vpc()).to_string()],
            })
    });
    let told = found.fold(element("subnetSet"), |set, (number, subnet)| {
        set.with(
            element("item")
                .say("subnetId", &subnet.id)
                .say("vpcId", &subnet.vpc)
                .say("ownerId", &world.account)
                .say("state", "available")
                .say("availabilityZone", &subnet.zone)
                .say("cidrBlock", format!("172.31.{}.0/20", number * 16 % 256))
                .say("availableIpAddressCount", 4091)
                .say("defaultForAz", subnet.vpc == world.default_vpc())
                .say("mapPublicIpOnLaunch", true),
        )
    });
    Ok(element("DescribeSubnetsResult").with(told))
}

pub(crate) fn describe_zones(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = Filters::read(form, &["zone-name", "region-name", "state"])?;
    let (all, wanted) = (world.zones(), numbered(form, "ZoneName"));
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    check_all(&wanted, &names, "InvalidParameterValue", |name| {
        format!("Invalid availability zone: [{name}]")
    })?;
    let found = names.into_iter().filter(|zone| {
        let is_wanted = wanted.is_empty() || wanted.contains(zone);
        is_wanted
            && filters.fit(|name| match name {
                "zone-name" => vec![(*zone).to_owned()],
                "region-name" => vec![world.region.clone()],
                _ => vec!["available".to_owned()],
            })
    });
    let told = found.fold(element("availabilityZoneInfo"), |set, zone| {
        set.with(
            element("item")
                .say("zoneName", zone)
                .say("zoneState", "available")
                .say("regionName", &world.region),
        )
    });
    Ok(element("DescribeAvailabilityZonesResult").with(told))
}

/// The key pairs are those that the settings of environments name.
pub(crate) fn describe_key_pairs(world: &World, form: &Form) -> Result<Element, ApiError> {
    let filters = Filters::read(form, &["key-name"])?;
    let launch = "aws:autoscaling:launchconfiguration";
    let all = world.environments();
    let mut all: Vec<&str> = all
        .filter_map(|e| e.setting(launch, "EC2KeyName"))
        .collect();
    all.sort_unstable();
    all.dedup();
    let wanted = numbered(form, "KeyName");
    check_all(&wanted, &all, "InvalidKeyPair.NotFound", |name| {
        format!("The key pair '{name}' does not exist")
    })?;
    let found = all.into_iter().filter(|name| {
        (wanted.is_empty() || wanted.contains(name)) && filters.fit(|_| vec![(*name).to_owned()])
    });
    let told = found.fold(element("keySet"), |set, name| {
        set.with(element("item").say("keyName", name).say("keyType", "rsa"))
    });
    Ok(element("DescribeKeyPairsResult").with(told))
}
