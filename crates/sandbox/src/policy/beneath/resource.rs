//! The resource that an action beneath is asked on.

/// The resource that an action beneath is asked on; an environment's resources bear its
/// stack's name.
#[derive(Clone, Copy)]
pub(crate) enum On {
    /// The action has no resources, or none that a name could tell.
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
    /// The role that Elastic Beanstalk watches the environment with.
    ServiceRole,
    /// The service's role for Auto Scaling, which an account has once.
    RoleOfScaling,
    /// The same for load balancing.
    RoleOfBalancing,
    /// The storage bucket of the account and region.
    Storage,
    /// An object in it.
    Stored,
    /// An instance that is to be launched by a launch template (Auto Scaling user guide, "Control
    /// Amazon EC2 launch template usage"); with a launch configuration nobody is asked for it.
    NewInstance,
    /// One of the stack's.
    Instance,
}
