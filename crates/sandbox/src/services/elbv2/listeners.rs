//! What changes listeners and target groups.

use serde_json::{Value, json};

use crate::services::elbv2::actions::check_actions;
use crate::services::elbv2::answer::{Answer, invalid, not_found};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::balancing::{Listener, TargetGroup, normal_actions};

pub(crate) fn create_listener(world: &mut World, form: &Form, input: &Value) -> Answer {
    let arn = form.get("LoadBalancerArn").unwrap_or_default();
    let balancers = world.balancers();
    let balancer = balancers.iter().find(|balancer| balancer.arn == arn);
    let balancer = balancer.ok_or_else(|| not_found("LoadBalancer", "load balancers"))?;
    let port: u16 = form
        .get("Port")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| invalid("A port must be specified"))?;
    if world.listeners_of(balancer).iter().any(|l| l.port == port) {
        return Err(ApiError::new(
            "DuplicateListener",
            "A listener already exists on this port for this load balancer",
        ));
    }
    check_actions(world, &input["DefaultActions"])?;
    let path = arn.replacen(":loadbalancer/", ":listener/", 1);
    let certificates = form.members("Certificates");
    let certificates = certificates.iter().filter_map(|c| c.get("CertificateArn"));
    let listener = Listener {
        arn: format!("{path}/{port:016x}"),
        balancer: arn.to_owned(),
        port,
        protocol: form.get("Protocol").unwrap_or("HTTP").to_owned(),
        certificates: certificates.map(str::to_owned).collect(),
        default_actions: normal_actions(&input["DefaultActions"]),
    };
    let answer = json!({ "Listeners": [listener.told()] });
    world.services.balancing.by_hand.listeners.push(listener);
    Ok(answer)
}

pub(crate) fn add_certificates(world: &mut World, form: &Form) -> Answer {
    let found = world.listener(form.get("ListenerArn").unwrap_or_default());
    let listener = found.ok_or_else(|| not_found("Listener", "listeners"))?;
    let certificates = form.members("Certificates");
    let arns: Vec<String> = (certificates.iter())
        .filter_map(|certificate| certificate.get("CertificateArn").map(str::to_owned))
        .collect();
    let told = arns.iter();
    let told = told.map(|arn| json!({ "CertificateArn": arn, "IsDefault": false }));
    let answer = json!({ "Certificates": told.collect::<Value>() });
    let by_hand = &mut world.services.balancing.by_hand.certificates;
    by_hand.extend(arns.into_iter().map(|arn| (listener.arn.clone(), arn)));
    Ok(answer)
}

/// Changes what a listener does without a rule.
pub(crate) fn modify_listener(world: &mut World, form: &Form, input: &Value) -> Answer {
    let found = world.listener(form.get("ListenerArn").unwrap_or_default());
    let mut listener = found.ok_or_else(|| not_found("Listener", "listeners"))?;
    let actions = &input["DefaultActions"];
    if !actions.is_null() {
        check_actions(world, actions)?;
        listener.default_actions = normal_actions(actions);
        let arn = listener.arn.clone();
        let by_hand = &mut world.services.balancing.by_hand;
        by_hand
            .defaults
            .insert(arn, listener.default_actions.clone());
    }
    Ok(json!({ "Listeners": [listener.told()] }))
}

pub(crate) fn create_target_group(world: &mut World, form: &Form) -> Answer {
    let name = form.get("Name").unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(invalid("A target group name must be specified"));
    }
    let number = world.random();
    let group = TargetGroup {
        arn: world.elb_arn(&format!("targetgroup/{name}/{number:016x}")),
        name,
        environment: None,
    };
    let answer = json!({ "TargetGroups": [{
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
    }] });
    world.services.balancing.by_hand.groups.push(group);
    Ok(answer)
}
