//! Record sets from the SDK's types and to them, field by field.

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types as sdk;

use bluegreen_core::followers::preview::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, RecordSet,
    ResourceRecord,
};

pub(super) fn read(set: sdk::ResourceRecordSet) -> RecordSet {
    let records = set.resource_records.unwrap_or_default();
    RecordSet {
        name: set.name,
        kind: set.r#type.as_str().to_owned(),
        set_identifier: set.set_identifier,
        weight: set.weight,
        region: set.region.map(|region| region.as_str().to_owned()),
        geo_location: set.geo_location.map(|place| GeoLocation {
            continent_code: place.continent_code,
            country_code: place.country_code,
            subdivision_code: place.subdivision_code,
        }),
        failover: set.failover.map(|failover| failover.as_str().to_owned()),
        multi_value_answer: set.multi_value_answer,
        ttl: set.ttl,
        resource_records: records
            .into_iter()
            .map(|record| ResourceRecord {
                value: record.value,
            })
            .collect(),
        alias_target: set.alias_target.map(|alias| AliasTarget {
            hosted_zone_id: alias.hosted_zone_id,
            dns_name: alias.dns_name,
            evaluate_target_health: alias.evaluate_target_health,
        }),
        health_check_id: set.health_check_id,
        traffic_policy_instance_id: set.traffic_policy_instance_id,
        cidr_routing_config: set.cidr_routing_config.map(|config| CidrRoutingConfig {
            collection_id: config.collection_id,
            location_name: config.location_name,
        }),
        geo_proximity_location: set
            .geo_proximity_location
            .map(|place| GeoProximityLocation {
                aws_region: place.aws_region,
                local_zone_group: place.local_zone_group,
                coordinates: place.coordinates.map(|at| Coordinates {
                    latitude: at.latitude,
                    longitude: at.longitude,
                }),
                bias: place.bias,
            }),
    }
}

/// The set as the SDK's type: reading it gives the same set again.
pub(super) fn written(set: &RecordSet) -> Result<sdk::ResourceRecordSet, BuildError> {
    let records = set
        .resource_records
        .iter()
        .map(|record| sdk::ResourceRecord::builder().value(&record.value).build())
        .collect::<Result<Vec<_>, _>>()?;
    let alias = set.alias_target.as_ref().map(|alias| {
        sdk::AliasTarget::builder()
            .hosted_zone_id(&alias.hosted_zone_id)
            .dns_name(&alias.dns_name)
            .evaluate_target_health(alias.evaluate_target_health)
            .build()
    });
    let cidr = set.cidr_routing_config.as_ref().map(|config| {
        sdk::CidrRoutingConfig::builder()
            .collection_id(&config.collection_id)
            .location_name(&config.location_name)
            .build()
    });
    let geo = set.geo_location.as_ref().map(|place| {
        sdk::GeoLocation::builder()
            .set_continent_code(place.continent_code.clone())
            .set_country_code(place.country_code.clone())
            .set_subdivision_code(place.subdivision_code.clone())
            .build()
    });
    let proximity = set.geo_proximity_location.as_ref().map(proximity);
    sdk::ResourceRecordSet::builder()
        .name(&set.name)
        .r#type(sdk::RrType::from(set.kind.as_str()))
        .set_set_identifier(set.set_identifier.clone())
        .set_weight(set.weight)
        .set_region(set.region.as_deref().map(Into::into))
        .set_geo_location(geo)
        .set_failover(set.failover.as_deref().map(Into::into))
        .set_multi_value_answer(set.multi_value_answer)
        .set_ttl(set.ttl)
        .set_resource_records((!records.is_empty()).then_some(records))
        .set_alias_target(alias.transpose()?)
        .set_health_check_id(set.health_check_id.clone())
        .set_traffic_policy_instance_id(set.traffic_policy_instance_id.clone())
        .set_cidr_routing_config(cidr.transpose()?)
        .set_geo_proximity_location(proximity.transpose()?)
        .build()
}

fn proximity(place: &GeoProximityLocation) -> Result<sdk::GeoProximityLocation, BuildError> {
    let at = place.coordinates.as_ref().map(|at| {
        sdk::Coordinates::builder()
            .latitude(&at.latitude)
            .longitude(&at.longitude)
            .build()
    });
    Ok(sdk::GeoProximityLocation::builder()
        .set_aws_region(place.aws_region.clone())
        .set_local_zone_group(place.local_zone_group.clone())
        .set_coordinates(at.transpose()?)
        .set_bias(place.bias)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_comes_back_as_it_was_read() {
        let text = |text: &str| Some(text.to_owned());
        let full = RecordSet {
            name: "a.example.".to_owned(),
            kind: "AAAA".to_owned(),
            set_identifier: text("one"),
            weight: Some(7),
            region: text("eu-west-1"),
            geo_location: Some(GeoLocation {
                continent_code: text("EU"),
                country_code: text("DE"),
                subdivision_code: text("BE"),
            }),
            failover: text("SECONDARY"),
            multi_value_answer: Some(true),
            ttl: Some(17),
            resource_records: ["one", "two"]
                .map(|value| ResourceRecord {
                    value: value.to_owned(),
                })
                .to_vec(),
            alias_target: Some(AliasTarget {
                hosted_zone_id: "Z1".to_owned(),
                dns_name: "b.example.".to_owned(),
                evaluate_target_health: true,
            }),
            health_check_id: text("h"),
            traffic_policy_instance_id: text("t"),
            cidr_routing_config: Some(CidrRoutingConfig {
                collection_id: "c".to_owned(),
                location_name: "l".to_owned(),
            }),
            geo_proximity_location: Some(GeoProximityLocation {
                aws_region: text("us-east-1"),
                local_zone_group: text("g"),
                coordinates: Some(Coordinates {
                    latitude: "1".to_owned(),
                    longitude: "2".to_owned(),
                }),
                bias: Some(-9),
            }),
        };
        for set in [
            full,
            RecordSet {
                kind: "A".to_owned(),
                ..RecordSet::default()
            },
        ] {
            let written = written(&set).expect("it is whole");
            assert_eq!(read(written), set);
        }
    }
}
