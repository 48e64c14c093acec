//! The roles that the EB CLI and the console make for environments: the one of the service and the
//! one of the instances (developer guide, "Service roles, instance profiles, and user policies").

use crate::world::iam::identities::{Identities, Principal};
use crate::world::iam::profiles::Profile;
use crate::world::names::ACCOUNT;

/// The role of the instances, and the name of the instance profile that has it.
const INSTANCE_ROLE: &str = "aws-elasticbeanstalk-ec2-role";

/// AWS's own policies for these roles. The sandbox knows that they exist and can be attached; it
/// does not have their documents, and they allow nothing here.
pub(crate) const OF_ROLES: [&str; 6] = [
    "arn:aws:iam::aws:policy/AWSElasticBeanstalkWebTier",
    "arn:aws:iam::aws:policy/AWSElasticBeanstalkWorkerTier",
    "arn:aws:iam::aws:policy/AWSElasticBeanstalkMulticontainerDocker",
    "arn:aws:iam::aws:policy/AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy",
    "arn:aws:iam::aws:policy/service-role/AWSElasticBeanstalkEnhancedHealth",
    "arn:aws:iam::aws:policy/service-role/AWSElasticBeanstalkService",
];

/// The identities of a new account, with the two roles and the instance profile. Like a role that
/// IAM does not know these may do everything, until a policy is put on one: the sandbox has no
/// documents of theirs to judge by.
pub(crate) fn seeded() -> Identities {
    let mut all = Identities::seeded();
    let [web, worker, docker, updates, health, _] = OF_ROLES;
    let of_instances = format!("arn:aws:iam::{ACCOUNT}:role/{INSTANCE_ROLE}");
    let of_service =
        format!("arn:aws:iam::{ACCOUNT}:role/service-role/aws-elasticbeanstalk-service-role");
    let service = role("elasticbeanstalk.amazonaws.com", &[health, updates]);
    let instances = role("ec2.amazonaws.com", &[web, worker, docker]);
    all.principals.insert(of_service, service);
    all.principals.insert(of_instances.clone(), instances);
    let profile = Profile {
        path: "/".to_owned(),
        role: Some(of_instances),
        created: 0,
    };
    all.profiles.insert(INSTANCE_ROLE.to_owned(), profile);
    all
}

fn role(service: &str, policies: &[&str]) -> Principal {
    let trust = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\
         {{\"Service\":\"{service}\"}},\"Action\":\"sts:AssumeRole\"}}]}}"
    );
    Principal {
        attached: policies.iter().map(|arn| (*arn).to_owned()).collect(),
        trust: Some(trust),
        ..Principal::default()
    }
}
