//! The resource that a downstream action is checked on.

/// The resource that a downstream action is checked on; an environment's resources bear its stack's
/// name.
#[derive(Clone, Copy)]
pub(crate) enum On {
    /// The action has no resources, or none that a name could identify.
    Any,
    Stack,
    ScalingGroup,
    /// What instances of an older environment are launched by.
    LaunchConfiguration,
    Alarm,
    LoadBalancer,
    Listener,
    /// A rule of a listener of the environment's own.
    Rule,
    TargetGroup,
    /// A listener of the load balancer that several environments share.
    SharedListener,
    /// A rule there.
    SharedRule,
    /// The role of the instances, in their instance profile.
    InstanceRole,
    /// The role with which Elastic Beanstalk monitors the environment.
    ServiceRole,
    /// The service's role for Auto Scaling, which an account has once.
    RoleOfScaling,
    /// The service's role for load balancing, which an account has once.
    RoleOfBalancing,
    /// The storage bucket of the account and region.
    Storage,
    /// An object in it.
    Stored,
    /// An instance to be launched by a launch template (Auto Scaling user guide, "Control Amazon
    /// EC2 launch template usage"); with a launch configuration the caller needs no right to it.
    NewInstance,
    /// One of the stack's.
    Instance,
}
